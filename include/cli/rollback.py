"""``embsearch rollback``: serve again what was served before."""

from __future__ import annotations

from contextlib import closing
from enum import StrEnum
from typing import Annotated

import typer

from include.cli.session import command_session
from include.errors import InputError
from include.settings import Settings, get_settings

app = typer.Typer()


class What(StrEnum):
    """What can be put back."""

    MODEL = "model"
    KEYWORD_VECTORS = "keyword-vectors"
    KEYWORD_TEXT = "keyword-text"
    LINKS = "links"


@app.command("rollback")
def rollback(
    what: Annotated[What, typer.Argument(help="What to put back; names and servers are those of the settings.")],
    to: Annotated[str | None, typer.Option(help="A generation, or a model's version; else the one before.")] = None,
    model: Annotated[str | None, typer.Option(help="Which model, where that is not the settings' own.")] = None,
) -> None:
    """Serve the generation (or the model's version) before the served one, or the one that is named."""
    settings = get_settings()
    if model is not None:
        if what is not What.MODEL:
            raise typer.BadParameter("--model goes with `rollback model` alone.")
        settings = settings.model_copy(update={"model": model})
    with command_session("rollback", settings):
        typer.echo(f"{what.value}: {put_back(what, to, settings)} is served")


def put_back(what: What, to: str | None, settings: Settings) -> str:
    """Move one pointer back; return what is served now.

    Raises:
        InputError: there is nothing to go back to.
        Busy: somebody has been writing into the index for an hour, or a build has had the name for ten minutes.
    """
    if what is What.MODEL:
        from include.needed_models import needed_models  # noqa: PLC0415 — help must be quick
        from include.triton.deploy import rollback as rollback_model  # noqa: PLC0415

        if to is not None and not to.isdecimal():
            msg = f"{to!r} is no version of a model: give a number such as 2."
            raise InputError(msg)
        needed = needed_models(settings)
        done = rollback_model(settings.model, settings, to_version=int(to) if to else None, needed=needed)
        return f"{done.model} version {done.version}"
    if what is What.KEYWORD_VECTORS:
        return _vectors(to, settings)
    from include.elastic.connection import EsConnection, connect  # noqa: PLC0415
    from include.elastic.index_generations import IndexGenerations  # noqa: PLC0415
    from include.elastic.promotion import roll_back  # noqa: PLC0415

    alias = settings.link_index if what is What.LINKS else settings.keyword_index
    with connect(EsConnection.from_settings(settings)) as client:
        return roll_back(IndexGenerations(client, alias), settings, to)


def _vectors(to: str | None, settings: Settings) -> str:
    from include.keywords.serving import roll_back  # noqa: PLC0415
    from include.vector_store.open import store_of  # noqa: PLC0415

    with closing(store_of(settings, settings.qdrant_url)) as store:
        return roll_back(store, settings.collection, settings, to)
