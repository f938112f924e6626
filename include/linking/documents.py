"""Documents of a build as they must stand in the index, made again from what its shards wrote."""

from __future__ import annotations

import random
from collections.abc import Iterator, Sequence
from typing import Any

import pyarrow.parquet as pq

from include.elastic.dead_letters import dead_ids
from include.elastic.document_id import document_id
from include.elastic.documents import Document
from include.elastic.replay import dead_letter_folder
from include.settings import Settings
from include.sources.build import Build

COLUMNS = ["product_name", "keyword_ids", "keywords", "scores"]


def all_documents(build: Build) -> Iterator[Document]:
    """Every document of the build, a shard at a time."""
    for index in range(build.input.shards):
        yield from map(_document, pq.read_table(build.shard(index).part, columns=COLUMNS).to_pylist())


def sample_documents(build: Build, settings: Settings, count: int) -> list[Document]:
    """At most ``count`` documents spread over the shards, none that is dead; the same at every call."""
    choose = random.Random(build.generation)  # noqa: S311 — a sample, not a secret
    dead = dead_ids(dead_letter_folder(settings), build.generation)
    picks = sorted(choose.choice(range(build.input.shards)) for _ in range(count))
    documents = (
        _document(row) for shard in dict.fromkeys(picks) for row in _some_rows(build, shard, picks.count(shard), choose)
    )
    return [document for document in documents if document.id not in dead]


def _some_rows(build: Build, shard: int, count: int, choose: random.Random) -> Sequence[dict[str, Any]]:
    table = pq.read_table(build.shard(shard).part, columns=COLUMNS)
    rows: list[dict[str, Any]] = table.take(choose.sample(range(len(table)), min(count, len(table)))).to_pylist()
    return rows


def _document(row: dict[str, Any]) -> Document:
    links = zip(row["keyword_ids"], row["keywords"], row["scores"], strict=True)
    keywords = [{"keyword": text, "keyword_id": number, "score": score} for number, text, score in links]
    return Document(document_id(row["product_name"]), {"product_name": row["product_name"], "keywords": keywords})
