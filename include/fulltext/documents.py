"""A document of a user: something to index, or a reason why not."""

from __future__ import annotations

import math
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import date, time
from typing import Any

# What no text is searched by and what would spoil a log or a page: control characters but tab and line ends.
_CONTROL = re.compile("[\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x9f]")
_SURROGATE = re.compile("[\ud800-\udfff]")
FILTERED = ("chat_id", "source")  # metadata that searches can be filtered by
LEVELS = 100  # of metadata inside metadata: Elasticsearch and JSON encoders have an end
KEPT_CHARACTERS = 200  # of what is said of a document that is set aside
NOT_READABLE, OUTSIDE, HIDDEN, OTHER_ENDING = "not_readable", "outside", "hidden", "other_ending"


@dataclass(frozen=True, slots=True)
class SourceDocument:
    """A document as its owner gave it, cleaned."""

    id: str
    title: str
    text: str
    metadata: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class SetAside:
    """A document that cannot be indexed, and why; what is served of it stays as it is."""

    id: str
    reason: str  # a short name, by which they are counted
    detail: str = ""
    identified: bool = True  # False: ``id`` says where it stands, for its own could not be read

    @property
    def passed_over(self) -> bool:
        """Nobody takes it for a document: it is counted, and no fault of the input."""
        return self.reason in {HIDDEN, OTHER_ENDING}

    @property
    def unread(self) -> bool:
        """What it holds could not be looked at: any documents may stand there."""
        return self.reason in {NOT_READABLE, OUTSIDE} and not self.identified


Found = SourceDocument | SetAside


@dataclass(frozen=True)
class Columns:
    """The columns of a Parquet file."""

    id: str = "id"
    title: str = "title"
    text: str = "text"
    metadata: str = "metadata"


def clean(text: str) -> str:
    """The text with one kind of line ends, a space for each control character, U+FFFD for each lone surrogate."""
    text = text.replace("\r\n", "\n").replace("\r", "\n")
    return _SURROGATE.sub("\ufffd", _CONTROL.sub(" ", text))


def document_of(value: Any, *, where: str, fallback_id: str = "") -> Found:
    """The document that a row or a JSON object is.

    It has ``id``, ``title``, ``text`` (or ``content``, or ``parts``: several texts; the first that is not empty),
    ``metadata``.
    """
    if not isinstance(value, Mapping):
        detail = f"{where}: not an object with id, title and text"
        return SetAside(fallback_id or where, "not_a_document", detail, identified=bool(fallback_id))
    name = value.get("id", value.get("document_id"))
    if name is None or name == "":
        name = fallback_id
    if not isinstance(name, str | int) or isinstance(name, bool) or name == "":
        return SetAside(where, "no_id", f"{where}: id is {str(name)[:KEPT_CHARACTERS]!r}", identified=False)
    identity = clean(str(name))
    texts = next((value[key] for key in ("text", "content", "parts") if value.get(key) not in (None, "", [])), "")
    parts = texts if isinstance(texts, list | tuple) else [texts]
    if not all(isinstance(part, str) for part in parts):
        return SetAside(identity, "not_text", f"{where}: its text is neither text nor a list of texts")
    title, metadata = value.get("title"), value.get("metadata")
    metadata = {} if metadata is None else metadata
    if problem := _problem_of_metadata(metadata):
        return SetAside(identity, "bad_metadata", f"{where}: {problem}")
    try:
        kept = {"source": where, **_as_json(metadata)}
    except RecursionError:
        return SetAside(identity, "bad_metadata", f"{where}: its metadata are nested too deeply")
    name_of_it = " ".join(clean("" if title is None else str(title)).split())
    return SourceDocument(identity, name_of_it, clean("\n\n".join(parts)), kept)


def _problem_of_metadata(metadata: Any) -> str:
    if not isinstance(metadata, Mapping):
        return "its metadata are not an object"
    for key in metadata:
        if not isinstance(key, str) or not key.strip(" .") or ".." in key or key.startswith(".") or key.endswith("."):
            return f"{str(key)[:KEPT_CHARACTERS]!r} cannot name metadata"
        if key.split(".")[0] in FILTERED and key not in FILTERED:
            return f"{key[:KEPT_CHARACTERS]!r} cannot name metadata: {key.split('.')[0]} is one value"
    for key in FILTERED:
        if isinstance(metadata.get(key), Mapping | list | tuple):
            return f"metadata.{key} must be one value"
    return ""


def _as_json(value: Any, levels: int = LEVELS) -> Any:
    """The value as JSON carries it and gives it back: days as texts, nothing for what is no number.

    Raises:
        RecursionError: it has more ``levels``.
    """
    if levels < 0:
        raise RecursionError
    if isinstance(value, Mapping):
        return {_as_plain(str(key)): _as_json(one, levels - 1) for key, one in value.items()}
    if isinstance(value, list | tuple):
        return [_as_json(one, levels - 1) for one in value]
    return sorted(map(str, value)) if isinstance(value, set | frozenset) else _as_plain(value)


def _as_plain(value: Any) -> str | int | float | None:
    if isinstance(value, str):
        return _SURROGATE.sub("\ufffd", value)
    if isinstance(value, float):
        return value if math.isfinite(value) else None
    if isinstance(value, date | time):
        return value.isoformat()
    if isinstance(value, bytes):
        return value.decode("utf-8", "replace")
    return value if value is None or isinstance(value, bool | int) else str(value)
