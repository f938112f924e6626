"""All calls to Qdrant's engine in process, with the parameters that were measured.

int8 scalar quantisation with ef 128, rescoring and oversampling 2 reaches recall@30 0.999 on overlapping clusters at
half the CPU time of the float32 graph; without oversampling it is 0.95 (``docs/performance.md``).
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np

from include.errors import ServiceUnavailable
from include.vector_store.neighbours import as_neighbours
from include.vector_store.protocol import Ids, Neighbours, Vectors

HNSW_M = 16
EF_CONSTRUCT = 100
EF_SEARCH = 128
OVERSAMPLING = 2.0
INDEXING_THRESHOLD_KB = 10_000  # a smaller collection is searched exactly
ONE_SEGMENT_KB = 100_000_000

UPSERT_ROWS = 4096  # bounds the Python objects alive at once
PAGE = 10_000

Shard = Any  # qdrant_edge.EdgeShard; the package is imported only where a shard is touched


@contextmanager
def engine_errors(folder: Path) -> Iterator[None]:
    """Say which folder failed: the engine raises plain ``Exception`` for everything."""
    try:
        yield
    except Exception as error:
        msg = f"Qdrant's engine failed at {folder}: {error}. Look for free disk space and for the right to write there."
        raise ServiceUnavailable(msg) from error


def create(folder: Path, dimension: int) -> Shard:
    """A new, empty shard; its files are durable only after ``flush()``."""
    import qdrant_edge as engine

    config = engine.EdgeConfig(
        vectors=engine.EdgeVectorParams(size=dimension, distance=engine.Distance.Cosine),
        hnsw_config=engine.HnswIndexConfig(m=HNSW_M, ef_construct=EF_CONSTRUCT, full_scan_threshold=10_000),
        quantization_config=engine.ScalarQuantizationConfig(engine.ScalarType.Int8, quantile=0.99, always_ram=True),
        optimizers=engine.EdgeOptimizersConfig(
            default_segment_number=1, indexing_threshold=INDEXING_THRESHOLD_KB, max_segment_size=ONE_SEGMENT_KB
        ),
        wal_enabled=False,
    )
    with engine_errors(folder):
        return engine.EdgeShard.create(str(folder), config)


def load(folder: Path) -> Shard:
    """Open a shard that stands."""
    import qdrant_edge as engine

    with engine_errors(folder):
        return engine.EdgeShard.load(str(folder))


def upsert(shard: Shard, ids: Ids, vectors: Vectors, keywords: Sequence[str]) -> None:
    """Add or replace points."""
    import qdrant_edge as engine

    for start in range(0, len(ids), UPSERT_ROWS):
        rows = range(start, min(start + UPSERT_ROWS, len(ids)))
        points = [engine.Point(int(ids[row]), vectors[row], {"keyword": keywords[row]}) for row in rows]
        shard.update(engine.UpdateOperation.upsert_points(points))


def search(shard: Shard, queries: Vectors, top_k: int, points: int) -> Neighbours:
    """The ``top_k`` nearest of the shard's ``points``, ids and scores only."""
    import qdrant_edge as engine

    params = engine.SearchParams(
        hnsw_ef=max(EF_SEARCH, top_k),
        quantization=engine.QuantizationSearchParams(rescore=True, oversampling=OVERSAMPLING),
    )
    limit = max(1, min(top_k, points))
    requests = [
        engine.QueryRequest(limit=limit, query=engine.Query.Nearest(row), params=params, with_payload=False)
        for row in queries
    ]
    found = shard.query_batch(engine.QueryBatchRequest(requests)) if requests else []
    rows = (([point.id for point in row], [point.score for point in row]) for row in found)
    return as_neighbours(rows, len(queries), top_k)


def page(shard: Shard, offset: int | None) -> tuple[Ids, list[str], int | None]:
    """Ids, keywords and the next offset (``None`` at the end), in id order."""
    import qdrant_edge as engine

    request = engine.ScrollRequest(offset=offset, limit=PAGE, with_payload=["keyword"], with_vector=False)
    records, following = shard.scroll(request)
    ids = np.array([record.id for record in records], np.int64)
    return ids, [record.payload["keyword"] for record in records], following


def build_graph(folder: Path, lock: int) -> dict[str, int]:
    """Run ``edge_build.py``, which inherits the build lock, so that no other build can start while it lives.

    Returns:
        ``points`` in the shard, and how many of them are ``indexed`` in the graph.

    Raises:
        ServiceUnavailable: the child failed; its last words are in the message.
    """
    command = [sys.executable, str(Path(__file__).with_name("edge_build.py")), str(folder), str(os.getpid())]
    done = subprocess.run(command, capture_output=True, text=True, check=False, pass_fds=[lock])
    if done.returncode != 0:
        msg = (
            f"The graph of {folder.name} was not built: the engine ended with status {done.returncode}. "
            f"{done.stderr.strip()[-1000:]} Look for free memory and disk space at {folder}, then run this again."
        )
        raise ServiceUnavailable(msg)
    built: dict[str, int] = json.loads(done.stdout)
    return built
