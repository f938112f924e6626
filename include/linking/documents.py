"""Documents of a build as they must stand in the index, made again from what its shards wrote."""

from __future__ import annotations

import random
from collections.abc import Iterator, Sequence

import pyarrow.parquet as pq

from include.elastic.documents import Document
from include.linking.parameters import LinkingParameters
from include.linking.pipeline import link_document
from include.settings import Settings
from include.sources.build import Build
from include.vector_store.collection import keyword_table
from include.vector_store.open import store_of

COLUMNS = ["product_name", "keyword_ids", "scores"]


def all_documents(build: Build, settings: Settings) -> Iterator[Document]:
    """Every document of the build, a shard at a time."""
    keywords = _keywords(build, settings)
    for index in range(build.input.shards):
        rows = pq.read_table(build.shard(index).part, columns=COLUMNS).to_pylist()
        yield from (_document(row, keywords) for row in rows)


def sample_documents(build: Build, settings: Settings, count: int) -> list[Document]:
    """At most ``count`` documents spread over the shards; the same at every call.

    Only shards whose every row was written are sampled: of the others the manifest does not tell which rows were.
    """
    whole = [i for i in range(build.input.shards) if (m := build.finished(i)) and m.counts.written == m.counts.read]
    if not whole:
        return []
    choose = random.Random(build.generation)  # noqa: S311 — a sample, not a secret
    picks = sorted(choose.choice(whole) for _ in range(count))
    keywords = _keywords(build, settings)
    return [
        _document(row, keywords)
        for shard in dict.fromkeys(picks)
        for row in _some_rows(build, shard, picks.count(shard), choose)
    ]


def _some_rows(build: Build, shard: int, count: int, choose: random.Random) -> Sequence[dict[str, object]]:
    table = pq.read_table(build.shard(shard).part, columns=COLUMNS)
    rows: list[dict[str, object]] = table.take(choose.sample(range(len(table)), min(count, len(table)))).to_pylist()
    return rows


def _document(row: dict[str, object], keywords: dict[int, str]) -> Document:
    name, ids, scores = (row[column] for column in COLUMNS)
    return link_document(name, ids, scores, keywords)  # type: ignore[arg-type]


def _keywords(build: Build, settings: Settings) -> dict[int, str]:
    parameters = LinkingParameters(**build.facts["parameters"])
    store = store_of(settings, parameters.qdrant_url)
    try:
        return keyword_table(store, build.facts["keyword_generation"])
    finally:
        store.close()
