"""The gate lets a right generation through and names what is wrong with any other."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

from include.errors import GateFailed
from include.vector_store.exact import ExactStore
from include.vector_store.gate import Blocks, check_vectors
from include.vector_store.oracle import unit

GENERATION = "keywords__1"
POINTS = 500


@pytest.fixture
def vectors() -> NDArray[np.float32]:
    return unit(np.random.default_rng(1).standard_normal((POINTS, 16)).astype(np.float32))


@pytest.fixture
def store(tmp_path: Path, vectors: NDArray[np.float32]) -> ExactStore:
    return built(tmp_path, np.arange(POINTS), vectors)


def built(folder: Path, ids: NDArray[np.int64], vectors: NDArray[np.float32]) -> ExactStore:
    store = ExactStore(folder)
    store.begin(GENERATION, dimension=16, model="m", model_fingerprint="f")
    store.upsert(GENERATION, ids, vectors, [str(one) for one in ids])
    store.seal(GENERATION, expected=len(ids))
    return store


def blocks_of(vectors: NDArray[np.float32], size: int = 64) -> Blocks:
    def blocks() -> Iterator[tuple[NDArray[np.int64], NDArray[np.float32]]]:
        for start in range(0, len(vectors), size):
            part = vectors[start : start + size]
            yield np.arange(start, start + len(part)), part

    return blocks


def test_a_right_generation_passes_with_its_figures(store: ExactStore, vectors: NDArray[np.float32]) -> None:
    figures = check_vectors(store, GENERATION, blocks_of(vectors), expected=POINTS)
    assert (figures.read, figures.points, figures.sampled, figures.recall) == (POINTS, POINTS, 200, 1.0)
    assert figures.worst_norm_error < 1e-5


def test_the_sample_is_the_same_whatever_the_blocks(store: ExactStore, vectors: NDArray[np.float32]) -> None:
    asked: list[NDArray[np.float32]] = []
    search = store.search
    store.search = lambda name, queries, top_k: asked.append(queries) or search(name, queries, top_k)  # type: ignore[method-assign,func-returns-value]
    for size in (1, 64, 1000):
        check_vectors(store, GENERATION, blocks_of(vectors, size), expected=POINTS, samples=50, seed=7)
    assert np.array_equal(asked[0], asked[1])
    assert np.array_equal(asked[0], asked[2])


def test_all_vectors_are_sampled_when_there_are_fewer(tmp_path: Path, vectors: NDArray[np.float32]) -> None:
    small = built(tmp_path, np.arange(7), vectors[:7])
    assert check_vectors(small, GENERATION, blocks_of(vectors[:7]), expected=7).sampled == 7


def test_missing_points_are_named_with_both_counts(store: ExactStore, vectors: NDArray[np.float32]) -> None:
    with pytest.raises(GateFailed, match=r"500 points stored, 501 expected.*500 vectors read, 501 expected"):
        check_vectors(store, GENERATION, blocks_of(vectors), expected=POINTS + 1)


def test_low_recall_is_named_with_its_floor(tmp_path: Path, vectors: NDArray[np.float32]) -> None:
    wrong = built(tmp_path, np.random.default_rng(2).permutation(POINTS), vectors)  # ids and vectors do not belong
    with pytest.raises(GateFailed, match=r"recall@30: 0\.\d+ on 200 queries, at least 0.98 needed"):
        check_vectors(wrong, GENERATION, blocks_of(vectors), expected=POINTS)


def test_vectors_that_are_not_finite_are_counted(store: ExactStore, vectors: NDArray[np.float32]) -> None:
    broken = vectors.copy()
    broken[[3, 70]] = np.nan
    with pytest.raises(GateFailed, match="finite: 2 vectors"):
        check_vectors(store, GENERATION, blocks_of(broken), expected=POINTS)


def test_a_norm_other_than_one_is_named(store: ExactStore, vectors: NDArray[np.float32]) -> None:
    with pytest.raises(GateFailed, match="unit norm: 500 vectors.*the worst by 0.5"):
        check_vectors(store, GENERATION, blocks_of(vectors * np.float32(1.5)), expected=POINTS)


def test_nothing_to_serve_is_refused(tmp_path: Path) -> None:
    empty = built(tmp_path, np.empty(0, np.int64), np.empty((0, 16), np.float32))
    with pytest.raises(GateFailed, match="no keywords"):
        check_vectors(empty, GENERATION, blocks_of(np.empty((0, 16), np.float32)), expected=0)
