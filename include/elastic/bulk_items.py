"""One document in a bulk request: its lines going out, its outcome coming back."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from enum import Enum
from typing import Any

import orjson

from include.elastic.document_id import MAX_ID_BYTES
from include.elastic.documents import Document
from include.elastic.errors import is_transient

SECURITY = "security_exception"
_PRESSURE = re.compile(r"_operation_bytes=(\d+).*\bmax_\w*bytes=(\d+)")  # in the reason of a 429


class Unsendable(Exception):
    """This document would be refused, or would take others of its request with it; ``kind`` is a short name of why."""

    def __init__(self, kind: str, reason: str) -> None:
        super().__init__(reason)
        self.kind, self.reason = kind, reason


class Outcome(Enum):
    """What became of one item."""

    INDEXED = "indexed"
    OLDER = "older"  # a newer version stands already
    LATER = "later"  # may succeed when sent again
    DENIED = "denied"  # nobody's fault but the login's
    DEAD = "dead"


@dataclass(frozen=True, slots=True)
class Entry:
    """A document with its two lines of NDJSON."""

    document: Document
    lines: bytes


def operation(document_id: str, version: int | None) -> dict[str, Any]:
    """The action of an item. With a version, an older one never replaces a newer one, and equal ones may repeat."""
    action: dict[str, Any] = {"_id": document_id}
    if version is not None:
        action |= {"version": version, "version_type": "external_gte"}
    return {"index": action}


def encode(document: Document, version: int | None) -> Entry:
    """The document as NDJSON.

    Raises:
        Unsendable: its id is empty or too long, or it holds what JSON cannot carry, for example a lone surrogate.
    """
    try:
        size = len(document.id.encode("utf-8"))
        lines = orjson.dumps(operation(document.id, version)) + b"\n" + orjson.dumps(document.source) + b"\n"
    except (TypeError, UnicodeEncodeError) as error:
        raise Unsendable("not_encodable", str(error)) from None
    if not 0 < size <= MAX_ID_BYTES:
        msg = f"the id has {size} bytes; Elasticsearch takes 1 to {MAX_ID_BYTES}"
        raise Unsendable("bad_id", msg)
    return Entry(document, lines)


def never_fits(reason: str) -> bool:
    """Whether a request of one document was refused as more than the server takes even when it has nothing to do."""
    found = _PRESSURE.search(reason)
    return found is not None and int(found.group(1)) > int(found.group(2))


def outcome(answer: Mapping[str, Any]) -> Outcome:
    """Judge one item of a bulk answer, ``{"status": …, "error": {…}}``."""
    status, kind = int(answer["status"]), str(answer.get("error", {}).get("type", ""))
    if status < 300:
        return Outcome.INDEXED
    if status == 409 and kind == "version_conflict_engine_exception":
        return Outcome.OLDER
    if is_transient(status, kind):
        return Outcome.LATER
    return Outcome.DENIED if kind == SECURITY else Outcome.DEAD
