"""Bulk indexing beside the documented way: ``async_bulk`` in batches of 64, 4 at once, with the documented mapping."""

from __future__ import annotations

import random
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any
from uuid import uuid4

from elasticsearch import Elasticsearch

from include.bench import documented
from include.bench.figures import REPEATS, Figure, median_pairs, rate
from include.elastic.bulk import BulkWriter
from include.elastic.connection import EsConnection, connect
from include.elastic.document_id import document_id
from include.elastic.documents import Document
from include.elastic.mappings import KEYWORD_MAPPING, LINK_MAPPING
from include.settings import Settings
from include.sources.generators import generate

FLAT_DOCUMENTS = 40_000
NESTED_DOCUMENTS = 8_000
LINKS = 30


def flat(settings: Settings, documents: int = FLAT_DOCUMENTS, *, repeats: int = REPEATS) -> Figure:
    """Keywords as text."""
    made = [
        Document(str(i), {"keyword": text, "keyword_id": i}) for i, text in enumerate(_texts("keywords", documents))
    ]
    name = "bulk: flat keyword documents"
    return _compare(settings, name, made, KEYWORD_MAPPING, documented.FLAT_MAPPING, goal=3.0, repeats=repeats)


def nested(settings: Settings, documents: int = NESTED_DOCUMENTS, *, repeats: int = REPEATS) -> Figure:
    """Products with 30 nested keywords each."""
    choose = random.Random(0)  # noqa: S311 — test data, not secrets
    keywords = _texts("keywords", 10_000)
    made = [
        Document(document_id(name), {"product_name": name, "keywords": _links(choose, keywords)})
        for name in _texts("products", documents)
    ]
    name = "bulk: products with 30 nested keywords"
    return _compare(settings, name, made, LINK_MAPPING, documented.LINK_MAPPING, goal=2.0, repeats=repeats)


def _compare(
    settings: Settings,
    name: str,
    documents: Sequence[Document],
    our_mapping: Mapping[str, Any],
    their_mapping: Mapping[str, Any],
    *,
    goal: float,
    repeats: int,
) -> Figure:
    """Both ways in turn, into a fresh index each time; the actions of both are prepared beforehand."""
    connection = EsConnection.from_settings(settings)
    actions = [{"_id": document.id, **document.source} for document in documents]
    with connect(connection) as client:

        def ours() -> float:
            with _index(client, our_mapping, bulk_load=True) as index:
                writer = BulkWriter(client, index, run_id="bench", dead_letters=settings.state_dir / "bench")
                return rate(len(documents), lambda: writer.write(documents))

        def theirs() -> float:
            with _index(client, their_mapping, bulk_load=False) as index:
                return rate(len(documents), lambda: documented.bulk(connection.hosts, index, actions))

        theirs(), ours()  # the server's just-in-time compiler warms up on them
        our_rate, their_rate, pairs = median_pairs(ours, theirs, repeats)
    return Figure(
        name, our_rate, their_rate, "documents/s", goal, details={"documents": len(documents), "pairs": pairs}
    )


@contextmanager
def _index(client: Elasticsearch, mapping: Mapping[str, Any], *, bulk_load: bool) -> Iterator[str]:
    name = f"bench-{uuid4().hex[:12]}"
    loading = {"refresh_interval": "-1", "translog.durability": "async"} if bulk_load else {}
    client.indices.create(
        index=name, mappings=dict(mapping), settings={"number_of_shards": 1, "number_of_replicas": 0, **loading}
    )
    try:
        yield name
    finally:
        client.indices.delete(index=name)


def _texts(kind: Any, count: int) -> list[str]:
    return list(generate(kind, count, language="ja"))


def _links(choose: random.Random, keywords: Sequence[str]) -> list[dict[str, Any]]:
    ids = choose.sample(range(len(keywords)), LINKS)
    scores = sorted((choose.uniform(0.3, 0.95) for _ in ids), reverse=True)
    return [{"keyword": keywords[i], "keyword_id": i, "score": round(s, 6)} for i, s in zip(ids, scores, strict=True)]
