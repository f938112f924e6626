"""Relevance sets: queries with the documents that answer them."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from include.errors import InputError
from include.sources.roots import check_input

HIGHEST_GRADE = 10  # the gain is 2 ** grade - 1


@dataclass(frozen=True)
class RelevantQuery:
    """One query and the grades of its documents: 1 touches on it, 2 answers it; all others are not relevant."""

    query: str
    language: str
    relevant: Mapping[str, int]  # document id → grade ≥ 1


@dataclass(frozen=True)
class RelevanceSet:
    """The queries of one file, and which content it had."""

    queries: tuple[RelevantQuery, ...]
    fingerprint: str

    @property
    def documents(self) -> list[str]:
        """The ids of all documents that are relevant to any query, sorted."""
        return sorted({document for query in self.queries for document in query.relevant})


def read_relevance_set(path: str | Path) -> RelevanceSet:
    """The relevance set of a JSONL file: ``query``, ``language``, ``relevant`` (document id → grade) in each line.

    Other keys are for its readers. A relative path starts at the project's root.

    Raises:
        NotAllowed: runs may not read there.
        InputError: there is no such file, it has no query, or a line cannot be used.
    """
    file = check_input(path)
    try:
        raw = file.read_bytes()
        lines = raw.decode("utf-8").split("\n")
    except OSError as error:
        msg = f"Relevance set {file} cannot be read: {error.strerror}. Give a JSONL file."
        raise InputError(msg) from None
    except UnicodeDecodeError as error:
        msg = f"Relevance set {file} is not UTF-8: {error.reason} at byte {error.start}."
        raise InputError(msg) from None
    queries = tuple(_query(line, f"{file}:{number}") for number, line in enumerate(lines, start=1) if line.strip())
    if not queries:
        msg = f"Relevance set {file} has no query."
        raise InputError(msg)
    asked: set[tuple[str, str]] = set()
    for query in queries:
        if (key := (query.language, query.query)) in asked:
            msg = f"Relevance set {file} asks {query.query!r} ({query.language}) twice."
            raise InputError(msg)
        asked.add(key)
    return RelevanceSet(queries, hashlib.sha256(raw).hexdigest()[:16])


def _query(line: str, where: str) -> RelevantQuery:
    try:
        value: Any = json.loads(line)
    except ValueError as error:
        msg = f"{where}: not JSON ({error})."
        raise InputError(msg) from None
    if not isinstance(value, dict) or not all(_is_text(value.get(key)) for key in ("query", "language")):
        msg = f"{where}: give query and language, both texts that are not empty."
        raise InputError(msg)
    relevant = value.get("relevant")
    if not isinstance(relevant, dict) or not relevant or not all(_is_grade(grade) for grade in relevant.values()):
        msg = f"{where}: give relevant, document ids with grades from 1 to {HIGHEST_GRADE}, at least one."
        raise InputError(msg)
    return RelevantQuery(value["query"], value["language"], relevant)


def _is_text(value: Any) -> bool:
    return isinstance(value, str) and bool(value.strip())


def _is_grade(value: Any) -> bool:
    return isinstance(value, int) and not isinstance(value, bool) and 1 <= value <= HIGHEST_GRADE
