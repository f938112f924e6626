"""One document that Elasticsearch refuses for good, and the line of a file that it is kept as."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any


class Unreadable(Exception):
    """A line is no letter."""


@dataclass(frozen=True)
class DeadLetter:
    """A refused document and why."""

    time: str  # ISO 8601, UTC
    run: str
    index: str
    operation: Mapping[str, Any]  # {"index": {"_id": …, "version": …}}
    document: Mapping[str, Any]
    error: Mapping[str, str]  # type, reason
    status: int | None  # HTTP, None when it was not sent
    attempts: int

    @property
    def id(self) -> str:
        """The document's id."""
        return str(self.operation["index"]["_id"])

    @property
    def version(self) -> int | None:
        """The document's external version."""
        version: int | None = self.operation["index"].get("version")
        return version

    def line(self) -> bytes:
        """One line of JSON: readable, or with escapes when it holds what UTF-8 cannot."""
        try:
            return json.dumps(asdict(self), ensure_ascii=False).encode("utf-8") + b"\n"
        except UnicodeEncodeError:
            return json.dumps(asdict(self)).encode("ascii") + b"\n"

    def key(self) -> bytes:
        """Equal for the same document of the same index."""
        same = json.dumps([self.index, self.id, self.document], sort_keys=True)
        return hashlib.sha256(same.encode("ascii")).digest()


def parsed(line: bytes) -> DeadLetter:
    """The letter of a line.

    Raises:
        Unreadable: it is none.
    """
    try:
        letter = DeadLetter(**json.loads(line))
        letter.id, letter.version, letter.error["type"], letter.error["reason"]  # readers will ask for them
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError) as error:
        raise Unreadable(error) from error
    return letter
