"""Documents for measurements: sentences of the sample documents of four languages, put together anew."""

from __future__ import annotations

import json
import random
import re
from collections.abc import Iterator
from functools import cache
from pathlib import Path

from include.fulltext.documents import Columns, SourceDocument
from include.fulltext.reading import read_documents
from include.generations.files import replacing
from include.settings import PROJECT_ROOT

SAMPLES = PROJECT_ROOT / "samples" / "documents"
_SENTENCE_END = re.compile(r"(?<=[.!?])\s+|(?<=[。？！])|\n+")


@cache
def sentences() -> dict[str, list[str]]:
    """All sentences of the samples by language."""
    found: dict[str, list[str]] = {}
    for document in read_documents(SAMPLES, Columns(), max_bytes=1_000_000):
        if isinstance(document, SourceDocument):
            parts = (part.strip() for part in _SENTENCE_END.split(document.text))
            found.setdefault(document.id.split("/")[0], []).extend(part for part in parts if part)
    return found


def documents(count: int, characters: int, *, seed: int = 0, version: int = 0) -> Iterator[SourceDocument]:
    """``count`` documents of at least ``characters``; those of another ``version`` have the same ids and other text."""
    languages = sentences()
    for number in range(count):
        choose = random.Random(f"{seed} {version} {number}")  # noqa: S311 — test data, not secrets
        of_language = languages[sorted(languages)[number % len(languages)]]
        parts: list[str] = []
        while sum(map(len, parts)) < characters:
            parts.append(choose.choice(of_language))
        yield SourceDocument(f"bench-{number}", choose.choice(of_language)[:60], " ".join(parts))


def write_documents(path: Path, count: int, characters: int, *, seed: int = 0, version: int = 0) -> None:
    """The same as JSONL."""
    with replacing(path) as temporary, temporary.open("w", encoding="utf-8") as file:
        for one in documents(count, characters, seed=seed, version=version):
            line = {"id": one.id, "title": one.title, "text": one.text}
            file.write(json.dumps(line, ensure_ascii=False) + "\n")
