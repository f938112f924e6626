"""Search: the engine in process against exact search by numpy, and a server's batched call against single calls."""

from __future__ import annotations

import logging
import resource
import statistics
import time
import uuid
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, TypeVar

import numpy as np
from pydantic import SecretStr

from include.bench.figures import REPEATS
from include.bench.synthetic import clustered
from include.generations.names import generation_name
from include.vector_store.open import open_store
from include.vector_store.oracle import ExactSearch
from include.vector_store.protocol import KeywordStore, Neighbours, Vectors

log = logging.getLogger(__name__)
Result = TypeVar("Result")

POINTS = 96_000
DIMENSION = 768
TOP_K = 30
BATCH = 64
UPSERT_BLOCK = 8192
WARM_UP = 32  # batches; the first ones pay for touching the engine's mapped pages
ALIAS = "bench-search"
CALM_SECONDS = 0.5  # threads of the matrix product spin on for a while after it
NO_SERVER = "no server given: set EMBSEARCH_QDRANT_URL to the URL of a Qdrant server"


@dataclass(frozen=True)
class Cost:
    """What one batch took; CPU is user + system time of all threads of this process."""

    cpu_ms: float
    wall_ms: float


@dataclass(frozen=True)
class Trial:
    """One batch of queries, searched both ways."""

    ours: Cost
    other: Cost  # exact search, or the same queries one by one
    recall: float


def search_figures(
    folder: Path,
    *,
    points: int = POINTS,
    dimension: int = DIMENSION,
    top_k: int = TOP_K,
    batch: int = BATCH,
    repeats: int = REPEATS,
    seed: int = 0,
    server_url: str | None = None,
    api_key: SecretStr | None = None,
) -> dict[str, Any]:
    """Medians over ``repeats`` batches of synthetic clustered queries; the two sides take turns.

    Args:
        folder: Where the engine builds its generation; about 5 KB a point at 768 dimensions. Must be empty.
        points: Vectors searched.
        dimension: Of a vector.
        top_k: Neighbours asked for.
        batch: Queries in one call.
        repeats: Batches measured, none of them searched before, after 32 others that warm up.
        seed: Of the data.
        server_url: A Qdrant server, to measure one batched call against single calls as well, in a collection
            ``bench-search__…`` that is taken away afterwards.
        api_key: Of that server.

    Returns:
        The sizes; ``edge`` and ``exact`` with ``cpu_ms`` and ``wall_ms`` a batch; ``recall``; ``cpu_ratio`` and
        ``wall_ratio`` = edge ÷ exact; ``build``; ``cold_wall_ms`` of the very first batch; ``server`` with
        ``batched_ms`` and ``single_ms`` of wall time (a server's CPU time is not this process's), ``speed_up`` and
        ``recall``, or with ``not_measured``, the reason. numpy's CPU time holds the spinning of its BLAS threads;
        ``OPENBLAS_NUM_THREADS=1`` in the environment leaves it out.
    """
    vectors = clustered(points, dimension, seed=seed)
    batches = [clustered(batch, dimension, seed=seed, draw=1 + number) for number in range(repeats + WARM_UP)]
    figures: dict[str, Any] = {"points": points, "dimension": dimension, "top_k": top_k, "batch": batch}
    store = open_store(f"edge:{folder}")
    try:
        generation, figures["build"] = _build(store, vectors)
        figures["cold_wall_ms"] = _warm_up(store, generation, batches[:WARM_UP], top_k)
        trials = [_trial(store, generation, vectors, queries, top_k) for queries in batches[WARM_UP:]]
    finally:
        store.close()
    figures |= _medians(trials)
    if server_url is None:
        return figures | {"server": {"not_measured": NO_SERVER}}
    return figures | {"server": _server_figures(server_url, api_key, vectors, batches, top_k)}


def _build(store: KeywordStore, vectors: Vectors) -> tuple[str, dict[str, float]]:
    generation = generation_name(ALIAS, datetime.now(UTC), uuid.uuid4().hex)
    store.begin(generation, dimension=vectors.shape[1], model="synthetic", model_fingerprint="synthetic")
    began = time.perf_counter()
    for start in range(0, len(vectors), UPSERT_BLOCK):
        block = vectors[start : start + UPSERT_BLOCK]
        ids = np.arange(start, start + len(block))
        store.upsert(generation, ids, block, [f"keyword {number}" for number in ids])
        log.info("search benchmark: %d/%d vectors loaded", start + len(block), len(vectors))
    loaded = time.perf_counter()
    info = store.seal(generation, expected=len(vectors))
    done = time.perf_counter()
    seconds = {"load_seconds": round(loaded - began, 2), "graph_seconds": round(done - loaded, 2)}
    return generation, {**seconds, "indexed": info.indexed}


def _warm_up(store: KeywordStore, generation: str, batches: Sequence[Vectors], top_k: int) -> float:
    """Wall milliseconds of the first batch."""
    walls = []
    for queries in batches:
        began = time.perf_counter()
        store.search(generation, queries, top_k)
        walls.append((time.perf_counter() - began) * 1000)
    return round(walls[0], 1)


def _trial(store: KeywordStore, generation: str, vectors: Vectors, queries: Vectors, top_k: int) -> Trial:
    exact = ExactSearch(queries, top_k)

    def search_exactly() -> Neighbours:
        exact.add(np.arange(len(vectors)), vectors)
        return exact.neighbours()

    found, ours = _cost(lambda: store.search(generation, queries, top_k))
    _, baseline = _cost(search_exactly)
    return Trial(ours, baseline, exact.recall(found))


def _medians(trials: Sequence[Trial]) -> dict[str, Any]:
    def median(figure: Callable[[Trial], float]) -> float:
        return round(statistics.median(figure(trial) for trial in trials), 4)

    return {
        "edge": {"cpu_ms": median(lambda t: t.ours.cpu_ms), "wall_ms": median(lambda t: t.ours.wall_ms)},
        "exact": {"cpu_ms": median(lambda t: t.other.cpu_ms), "wall_ms": median(lambda t: t.other.wall_ms)},
        "recall": median(lambda t: t.recall),
        "cpu_ratio": median(lambda t: t.ours.cpu_ms / t.other.cpu_ms),
        "wall_ratio": median(lambda t: t.ours.wall_ms / t.other.wall_ms),
    }


def _server_figures(
    url: str, api_key: SecretStr | None, vectors: Vectors, batches: Sequence[Vectors], top_k: int
) -> dict[str, Any]:
    store = open_store(url, api_key=api_key)
    try:
        generation, build = _build(store, vectors)
        store.prune(ALIAS, keep=1)  # what an interrupted run left
        _warm_up(store, generation, batches[:WARM_UP], top_k)
        trials = [_server_trial(store, generation, vectors, queries, top_k) for queries in batches[WARM_UP:]]
        store.drop(generation)
    finally:
        store.close()
    found = {
        "batched_ms": statistics.median(trial.ours.wall_ms for trial in trials),
        "single_ms": statistics.median(trial.other.wall_ms for trial in trials),
        "recall": statistics.median(trial.recall for trial in trials),
    }
    return {"build": build, **found, "speed_up": found["single_ms"] / found["batched_ms"]}


def _server_trial(store: KeywordStore, generation: str, vectors: Vectors, queries: Vectors, top_k: int) -> Trial:
    def one_by_one() -> None:
        for row in range(len(queries)):
            store.search(generation, queries[row : row + 1], top_k)

    exact = ExactSearch(queries, top_k)
    exact.add(np.arange(len(vectors)), vectors)
    found, batched = _cost(lambda: store.search(generation, queries, top_k))
    _, single = _cost(one_by_one)
    return Trial(batched, single, exact.recall(found))


def _cost(work: Callable[[], Result]) -> tuple[Result, Cost]:
    time.sleep(CALM_SECONDS)
    before, began = resource.getrusage(resource.RUSAGE_SELF), time.perf_counter()
    result = work()
    wall = time.perf_counter() - began
    after = resource.getrusage(resource.RUSAGE_SELF)
    cpu = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
    return result, Cost(cpu * 1000, wall * 1000)
