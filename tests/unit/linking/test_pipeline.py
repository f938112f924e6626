"""The pipeline's own promises: how much is in flight, in which order batches come back, what a failure does."""

from __future__ import annotations

import threading
import time
from collections.abc import Sequence
from typing import Any

import numpy as np
import pytest

from include.elastic.bulk import BulkCounts
from include.errors import ServiceUnavailable
from include.linking.pipeline import LinkPipeline, link_document
from include.linking.progress import Progress
from include.sources.rows import Row
from include.vector_store.protocol import NO_ID, Neighbours


class Stage:
    """Counts how many threads are inside, and when it was entered and left."""

    def __init__(self) -> None:
        self.lock = threading.Lock()
        self.inside = self.most = self.calls = 0

    def __enter__(self) -> None:
        with self.lock:
            self.calls += 1
            self.inside += 1
            self.most = max(self.most, self.inside)

    def __exit__(self, *_: object) -> None:
        with self.lock:
            self.inside -= 1


class Parts:
    """Embedder, store and writer in one, each stage a short sleep; ``fail_at`` makes that batch's bulk fail."""

    def __init__(self, fail_at: int | None = None) -> None:
        self.whole, self.embedding, self.searching = Stage(), Stage(), Stage()
        self.overlapped = False
        self.fail_at = fail_at

    def embed(self, texts: Sequence[str], role: str) -> Any:
        self.whole.__enter__()
        with self.embedding:
            time.sleep(0.01)
            return np.array([[float(text)] for text in texts], np.float32)

    def search(self, name: str, vectors: Any, top_k: int) -> Neighbours:
        with self.searching:
            self.overlapped |= self.embedding.inside > 0
            time.sleep(0.005)
        ids = np.repeat(vectors.astype(np.int64), top_k, axis=1)
        return Neighbours(ids, np.ones_like(ids, np.float32))

    def write(self, documents: Sequence[Any]) -> BulkCounts:
        number = int(documents[0].source["product_name"])
        self.whole.__exit__()
        if self.fail_at is not None and number >= self.fail_at:
            raise ServiceUnavailable("Elasticsearch does not answer")
        return BulkCounts(indexed=len(documents))


def pipeline(parts: Any, *, workers: int = 3, batch_size: int = 4) -> LinkPipeline:
    keywords = {number: f"keyword {number}" for number in range(1000)}
    progress = Progress(1000, report=lambda line: None)
    return LinkPipeline(parts, parts, "k__1", keywords, parts, 2, batch_size, workers, progress)


def shards(count: int, rows: int) -> list[tuple[int, list[Row]]]:
    return [(shard, [Row(n, str(n)) for n in range(shard * rows, (shard + 1) * rows)]) for shard in range(count)]


def test_at_most_workers_batches_are_in_flight_and_their_stages_overlap() -> None:
    parts = Parts()
    assert len(list(pipeline(parts).run(shards(10, 10)))) == 30
    assert parts.whole.most == 3
    assert parts.overlapped


def test_batches_come_back_in_order_and_say_when_their_shard_is_whole() -> None:
    done = list(pipeline(Parts()).run(shards(3, 10)))
    assert [row.number for linked in done for row in linked.batch.rows] == list(range(30))
    assert [linked.batch.last for linked in done] == [False, False, True] * 3
    assert all(
        linked.documents[0].source["keywords"][0]["keyword_id"] == linked.batch.rows[0].number for linked in done
    )


def test_input_is_read_only_as_far_as_batches_are_begun() -> None:
    read: list[int] = []

    def source() -> Any:
        for shard in shards(50, 4):
            read.append(shard[0])
            yield shard

    running = pipeline(Parts()).run(source())
    next(running)
    assert len(read) <= 5
    running.close()


def test_a_failed_batch_ends_the_run_without_beginning_the_rest() -> None:
    parts = Parts(fail_at=20)
    done = []
    with pytest.raises(ServiceUnavailable):
        done.extend(pipeline(parts).run(shards(100, 4)))
    assert [linked.batch.shard for linked in done] == list(range(5))
    assert parts.embedding.calls <= 5 + 3 + 1


def test_places_without_a_neighbour_are_left_out_of_the_document() -> None:
    document = link_document("bag", [7, NO_ID], [0.12345678, float("nan")], {7: "hiking"})
    assert document.source == {
        "product_name": "bag",
        "keywords": [{"keyword": "hiking", "keyword_id": 7, "score": 0.123457}],
    }
