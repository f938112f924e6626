"""All calls to Qdrant's engine in process."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Self

import numpy as np

from include.vector_store import hnsw
from include.vector_store.edge_faults import check_room, ended, translated
from include.vector_store.neighbours import as_neighbours
from include.vector_store.protocol import Ids, Neighbours, Vectors

ONE_SEGMENT_KB = 100_000_000
UPSERT_ROWS = 4096  # bounds the Python objects alive at once
PAGE = 10_000


class Shard:
    """A shard in a folder. Its failures are those of :func:`~include.vector_store.edge_faults.translated`.

    The package ``qdrant_edge`` is imported only where a shard is touched.
    """

    def __init__(self, folder: Path, engine_shard: Any) -> None:
        self.folder = folder
        self._shard = engine_shard  # qdrant_edge.EdgeShard; None once closed

    @classmethod
    def create(cls, folder: Path, dimension: int) -> Self:
        """A new, empty shard; its files are durable only after ``flush()``."""
        import qdrant_edge as engine

        config = engine.EdgeConfig(
            vectors=engine.EdgeVectorParams(size=dimension, distance=engine.Distance.Cosine),
            hnsw_config=engine.HnswIndexConfig(m=hnsw.M, ef_construct=hnsw.EF_CONSTRUCT, full_scan_threshold=10_000),
            quantization_config=engine.ScalarQuantizationConfig(
                engine.ScalarType.Int8, quantile=hnsw.QUANTILE, always_ram=True
            ),
            optimizers=engine.EdgeOptimizersConfig(
                default_segment_number=1, indexing_threshold=hnsw.INDEXING_THRESHOLD_KB, max_segment_size=ONE_SEGMENT_KB
            ),
            wal_enabled=False,
        )
        check_room(folder.parent, 0)
        with translated(folder):
            return cls(folder, engine.EdgeShard.create(str(folder), config))

    @classmethod
    def load(cls, folder: Path) -> Self:
        """Open a shard that stands."""
        import qdrant_edge as engine

        with translated(folder):
            return cls(folder, engine.EdgeShard.load(str(folder)))

    def upsert(self, ids: Ids, vectors: Vectors, keywords: Sequence[str]) -> None:
        """Add or replace points."""
        import qdrant_edge as engine

        for start in range(0, len(ids), UPSERT_ROWS):
            rows = range(start, min(start + UPSERT_ROWS, len(ids)))
            texts = sum(len(keywords[row].encode()) for row in rows)
            check_room(self.folder, 2 * (vectors[rows.start : rows.stop].nbytes + texts))
            points = [engine.Point(int(ids[row]), vectors[row], {"keyword": keywords[row]}) for row in rows]
            with translated(self.folder):
                self._shard.update(engine.UpdateOperation.upsert_points(points))

    def search(self, queries: Vectors, top_k: int, points: int) -> Neighbours:
        """The ``top_k`` nearest of the shard's ``points``, ids and scores only."""
        import qdrant_edge as engine

        params = engine.SearchParams(
            hnsw_ef=max(hnsw.EF_SEARCH, top_k),
            quantization=engine.QuantizationSearchParams(rescore=True, oversampling=hnsw.OVERSAMPLING),
        )
        limit = max(1, min(top_k, points))
        requests = [
            engine.QueryRequest(limit=limit, query=engine.Query.Nearest(row), params=params, with_payload=False)
            for row in queries
        ]
        with translated(self.folder):
            found = self._shard.query_batch(engine.QueryBatchRequest(requests)) if requests else []
        rows = (([point.id for point in row], [point.score for point in row]) for row in found)
        return as_neighbours(rows, len(queries), top_k)

    def page(self, offset: int | None) -> tuple[Ids, list[str], int | None]:
        """Ids, keywords and the next offset (``None`` at the end), in id order."""
        import qdrant_edge as engine

        request = engine.ScrollRequest(offset=offset, limit=PAGE, with_payload=["keyword"], with_vector=False)
        with translated(self.folder):
            records, following = self._shard.scroll(request)
        ids = np.array([record.id for record in records], np.int64)
        return ids, [record.payload["keyword"] for record in records], following

    def keywords_of(self, ids: Sequence[int]) -> dict[int, str]:
        """The keywords of those ``ids`` that are there."""
        with translated(self.folder):
            return {
                record.id: record.payload["keyword"]
                for start in range(0, len(ids), PAGE)
                for record in self._shard.retrieve(list(ids[start : start + PAGE]), ["keyword"], False)  # noqa: FBT003
            }

    def count(self) -> int:
        """Points, each id once."""
        import qdrant_edge as engine

        with translated(self.folder):
            return int(self._shard.count(engine.CountRequest(exact=True)))

    def flush(self) -> None:
        """Bring everything to disk."""
        with translated(self.folder):
            self._shard.flush()

    def close(self) -> None:
        """Let go of the files; nothing happens the second time."""
        shard, self._shard = self._shard, None
        if shard is not None:
            with translated(self.folder):
                shard.close()


def build_graph(folder: Path, lock: int) -> int:
    """Run ``edge_build.py``, which inherits the build lock, so that no other build can start while it lives.

    Returns:
        How many points are in the graph.

    Raises:
        EmbsearchError: the child failed; see :func:`~include.vector_store.edge_faults.ended`.
    """
    check_room(folder, 2 * _bytes_on_disk(folder))  # vectors are copied, quantised and linked beside what is there
    command = [sys.executable, str(Path(__file__).with_name("edge_build.py")), str(folder), str(os.getpid())]
    done = subprocess.run(command, capture_output=True, text=True, check=False, pass_fds=[lock])
    if done.returncode != 0:
        raise ended(folder, done.returncode, done.stderr)
    return int(json.loads(done.stdout)["indexed"])


def _bytes_on_disk(folder: Path) -> int:
    return sum(path.stat().st_blocks * 512 for path in folder.rglob("*"))
