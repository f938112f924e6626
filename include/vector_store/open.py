"""From a URL to a store."""

from __future__ import annotations

from pathlib import Path

from pydantic import SecretStr

from include.errors import InputError
from include.settings import PROJECT_ROOT, Settings
from include.sources.roots import check_output
from include.vector_store.protocol import KeywordStore

FORMS = "edge:<folder>, exact:<folder>, http(s)://<host>:<port> of a Qdrant server, or :memory:"


def open_store(url: str, *, api_key: SecretStr | None = None) -> KeywordStore:
    """The back end that ``url`` names; relative folders start at the project's root.

    ``edge:<folder>`` is Qdrant's engine in process, ``exact:<folder>`` an exact search by numpy, ``http(s)://…`` a
    Qdrant server, ``:memory:`` a store that is gone with this process. Nothing is contacted before the first call, but
    whether a server answers over gRPC.

    Raises:
        InputError: the URL has none of these forms.
    """
    scheme, _, rest = url.partition(":")
    if scheme == "edge" and rest:
        from include.vector_store.edge import EdgeStore  # noqa: PLC0415 — each back end's packages only where used

        return EdgeStore(_folder(rest))
    if scheme == "exact" and rest:
        from include.vector_store.exact import ExactStore  # noqa: PLC0415

        return ExactStore(_folder(rest))
    if url == ":memory:":
        from include.vector_store.server import ServerStore  # noqa: PLC0415

        return ServerStore.in_memory()
    if scheme in {"http", "https"} and rest.startswith("//") and rest.strip("/"):
        from include.vector_store.server import ServerStore  # noqa: PLC0415

        return ServerStore.connect(url, api_key.get_secret_value() if api_key else None)
    msg = f"{url!r} names no vector store. Write {FORMS}."
    raise InputError(msg)


def store_of(settings: Settings, url: str) -> KeywordStore:
    """The back end that ``url`` names; the settings' API key goes to the settings' own server only.

    Raises:
        NotAllowed: another folder than the settings' own, where runs may not write.
        InputError: the URL has none of the known forms.
    """
    ours = url == settings.qdrant_url
    scheme, _, folder = url.partition(":")
    if not ours and scheme in {"edge", "exact"}:
        check_output(_folder(folder))
    return open_store(url, api_key=settings.qdrant_api_key if ours else None)


def _folder(text: str) -> Path:
    return PROJECT_ROOT / Path(text).expanduser()
