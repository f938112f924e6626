"""The search benchmark measures real searches; whether its goal is met is for a quiet machine to say."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from include.bench.search import NO_SERVER, WARM_UP, search_figures
from include.bench.synthetic import clustered
from include.vector_store.protocol import Neighbours, Vectors
from include.vector_store.server import ServerStore


def test_figures_of_a_small_run_are_complete(tmp_path: Path) -> None:
    figures = search_figures(tmp_path, points=2000, dimension=32, batch=8, repeats=1)
    assert figures["recall"] >= 0.95
    assert figures["edge"]["cpu_ms"] > 0
    assert figures["exact"]["cpu_ms"] > 0
    assert figures["points"] == 2000
    assert figures["server"] == {"not_measured": NO_SERVER}


def test_a_server_is_asked_in_one_call_and_one_by_one(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[int] = []
    search = ServerStore.search

    def counted(store: ServerStore, name: str, queries: Vectors, top_k: int) -> Neighbours:
        asked.append(len(queries))
        return search(store, name, queries, top_k)

    monkeypatch.setattr(ServerStore, "search", counted)
    found = search_figures(tmp_path, points=500, dimension=16, top_k=5, batch=8, repeats=2, server_url=":memory:")
    server = found["server"]
    assert server["recall"] == 1.0
    assert server["speed_up"] == server["single_ms"] / server["batched_ms"]
    assert asked == [8] * WARM_UP + 2 * [8, *[1] * 8]


def test_synthetic_vectors_are_of_unit_norm_and_repeatable() -> None:
    first, again, other = clustered(300, 16), clustered(300, 16), clustered(300, 16, draw=1)
    assert np.allclose(np.linalg.norm(first, axis=1), 1, atol=1e-5)
    assert np.array_equal(first, again)
    assert not np.array_equal(first, other)
