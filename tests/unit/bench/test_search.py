"""The search benchmark measures real searches; whether its goal is met is for a quiet machine to say."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from include.bench.search import search_figures
from include.bench.synthetic import clustered


def test_figures_of_a_small_run_are_complete(tmp_path: Path) -> None:
    figures = search_figures(tmp_path, points=2000, dimension=32, batch=8, repeats=1)
    assert figures["recall"] >= 0.95
    assert figures["edge"]["cpu_ms"] > 0
    assert figures["exact"]["cpu_ms"] > 0
    assert figures["points"] == 2000
    assert "server" not in figures


def test_synthetic_vectors_are_of_unit_norm_and_repeatable() -> None:
    first, again, other = clustered(300, 16), clustered(300, 16), clustered(300, 16, draw=1)
    assert np.allclose(np.linalg.norm(first, axis=1), 1, atol=1e-5)
    assert np.array_equal(first, again)
    assert not np.array_equal(first, other)
