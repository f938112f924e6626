"""Exact search is exact, whatever the blocks and whatever the ties."""

from __future__ import annotations

import numpy as np
import pytest
from numpy.typing import NDArray

from include.vector_store import oracle
from include.vector_store.neighbours import as_neighbours
from include.vector_store.oracle import ExactSearch, exact_search, unit
from include.vector_store.protocol import NO_ID


@pytest.fixture
def vectors() -> NDArray[np.float32]:
    return unit(np.random.default_rng(1).standard_normal((1000, 24)).astype(np.float32))


def brute_force(vectors: NDArray[np.float32], ids: NDArray[np.int64], queries: NDArray[np.float32], k: int) -> list:
    scores = [[float(np.dot(q.astype(float), v.astype(float))) for v in vectors] for q in queries]
    return [[one for _, one in sorted(zip([-s for s in row], ids.tolist(), strict=True))[:k]] for row in scores]


@pytest.mark.parametrize("block", [7, 30, 31, 999, 16_384])
def test_finds_what_brute_force_in_float64_finds_whatever_the_block(
    vectors: NDArray[np.float32], block: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(oracle, "BLOCK_ROWS", block)
    ids = np.random.default_rng(2).permutation(5000)[:1000]
    queries = unit(np.random.default_rng(3).standard_normal((9, 24)).astype(np.float32))
    found = exact_search(vectors, ids, queries, 30)
    assert found.ids.tolist() == brute_force(vectors, ids, queries, 30)
    assert found.scores.dtype == np.float32


def test_equal_vectors_are_ordered_by_id_across_blocks(
    vectors: NDArray[np.float32], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(oracle, "BLOCK_ROWS", 64)
    ids = np.arange(1000)[::-1].copy()
    same = vectors.copy()
    same[::10] = vectors[0]  # 100 copies, spread over all blocks
    found = exact_search(same, ids, vectors[:1], 30)
    assert found.ids[0].tolist() == sorted(ids[::10].tolist())[:30]


def test_places_beyond_the_collection_hold_no_id_and_nan(vectors: NDArray[np.float32]) -> None:
    found = exact_search(vectors[:3], np.arange(3), vectors[:2], 5)
    assert (found.ids[:, 3:] == NO_ID).all()
    assert np.isnan(found.scores[:, 3:]).all()
    assert sorted(found.ids[0, :3].tolist()) == [0, 1, 2]


def test_recall_counts_any_of_the_vectors_tied_at_the_last_place(vectors: NDArray[np.float32]) -> None:
    same = np.repeat(vectors[:1], 100, axis=0)
    search = ExactSearch(vectors[:1], 30)
    search.add(np.arange(100), same)
    others = as_neighbours([(list(range(70, 100)), [1.0] * 30)], 1, 30)
    assert search.recall(others) == 1.0


def test_recall_is_the_share_of_true_neighbours(vectors: NDArray[np.float32]) -> None:
    search = ExactSearch(vectors[:2], 10)
    search.add(np.arange(1000), vectors)
    found = search.neighbours()
    assert search.recall(found) == 1.0
    found.ids[0, :5] = NO_ID
    assert search.recall(found) == 0.75


def test_recall_of_a_small_collection_asks_for_no_more_than_it_holds(vectors: NDArray[np.float32]) -> None:
    search = ExactSearch(vectors[:2], 30)
    search.add(np.arange(4), vectors[:4])
    assert search.recall(search.neighbours()) == 1.0


def test_a_zero_vector_stays_zero() -> None:
    assert unit(np.zeros((1, 4), np.float32)).tolist() == [[0, 0, 0, 0]]
