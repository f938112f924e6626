"""Batches through three stages, embed → search → bulk, at most ``workers`` of them in flight.

Each batch passes its stages on one thread, so stages of different batches overlap while memory holds ``workers``
batches and the shards that they belong to, however long the input is.
"""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Iterable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from include.elastic.bulk import BulkCounts, BulkWriter
from include.elastic.document_id import document_id
from include.elastic.documents import Document
from include.linking.progress import BatchTimes, Progress
from include.sources.rows import Row
from include.triton.embedder import Embedder
from include.vector_store.protocol import NO_ID, KeywordStore, Neighbours


@dataclass(frozen=True)
class Batch:
    """Some rows of one shard."""

    shard: int
    rows: Sequence[Row]
    last: bool  # of its shard


@dataclass(frozen=True)
class LinkedBatch:
    """A batch that is in Elasticsearch."""

    batch: Batch
    vectors: NDArray[np.float32]  # [n, D]
    documents: Sequence[Document]  # as they were sent
    counts: BulkCounts
    times: BatchTimes


@dataclass(frozen=True)
class LinkPipeline:
    """The three stages and what they work with."""

    embedder: Embedder
    store: KeywordStore
    collection: str  # a generation, not an alias, so that the whole run searches one keyword set
    keywords: dict[int, str]
    writer: BulkWriter
    top_k: int
    batch_size: int
    workers: int
    progress: Progress

    def run(self, shards: Iterable[tuple[int, Sequence[Row]]]) -> Iterator[LinkedBatch]:
        """Link ``(shard, rows)`` pairs; batches come back in order.

        When one fails, those in flight are finished, the rest is not begun, and its error is raised.
        """
        with ThreadPoolExecutor(self.workers, thread_name_prefix="link") as pool:
            flying: deque[Future[LinkedBatch]] = deque()
            for batch in self._batches(shards):
                if len(flying) == self.workers:
                    yield flying.popleft().result()
                flying.append(pool.submit(self._link, batch))
            while flying:
                yield flying.popleft().result()

    def _batches(self, shards: Iterable[tuple[int, Sequence[Row]]]) -> Iterator[Batch]:
        for shard, rows in shards:
            for start in range(0, len(rows), self.batch_size):
                end = start + self.batch_size
                yield Batch(shard, rows[start:end], last=end >= len(rows))

    def _link(self, batch: Batch) -> LinkedBatch:
        began = time.monotonic()
        vectors = self.embedder.embed([row.text for row in batch.rows], "query")
        embedded = time.monotonic()
        neighbours = self.store.search(self.collection, vectors, self.top_k)
        searched = time.monotonic()
        documents = self._documents(batch.rows, neighbours)
        counts = self.writer.write(documents)
        times = BatchTimes(len(batch.rows), embedded - began, searched - embedded, time.monotonic() - searched)
        self.progress.add(times)
        return LinkedBatch(batch, vectors, documents, counts, times)

    def _documents(self, rows: Sequence[Row], neighbours: Neighbours) -> list[Document]:
        return [
            link_document(row.text, ids, scores, self.keywords)
            for row, ids, scores in zip(rows, neighbours.ids.tolist(), neighbours.scores.tolist(), strict=True)
        ]


def link_document(name: str, ids: Sequence[int], scores: Sequence[float], keywords: dict[int, str]) -> Document:
    """The document of one product: its name and its keywords, best first."""
    linked: list[dict[str, Any]] = [
        {"keyword": keywords[keyword_id], "keyword_id": keyword_id, "score": round(score, 6)}
        for keyword_id, score in zip(ids, scores, strict=True)
        if keyword_id != NO_ID
    ]
    return Document(document_id(name), {"product_name": name, "keywords": linked})
