"""The exact neighbours stay exact as rows come and go, or are left out."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from include.bench.synthetic import clustered
from include.errors import ContractError
from include.faiss_index.truth import DEPTH, TOP_K, Truth
from include.generations.vectors import VectorRows

DIMENSION = 8
QUERIES = 12
VECTORS = clustered(1200, DIMENSION)


def rows(ids: np.ndarray) -> VectorRows:
    return VectorRows(ids, VECTORS[ids])


def begin() -> Truth:
    return Truth.begin(rows(np.arange(QUERIES)))


def exact(ids: np.ndarray, query: int, k: int) -> list[int]:
    others = ids[ids != query]
    order = np.argsort(-(VECTORS[others] @ VECTORS[query]), kind="stable")
    return others[order[:k]].tolist()


def exact_answers(ids: np.ndarray) -> np.ndarray:
    """What an index would find that makes no mistake, the query's own row first."""
    return np.array([([query] + exact(ids, query, TOP_K) + [-1] * TOP_K)[: TOP_K + 1] for query in range(QUERIES)])


@settings(deadline=None, max_examples=25)
@given(st.integers(0, 2**32 - 1), st.lists(st.floats(0, 0.2), max_size=8), st.integers(1, 400))
def test_an_exact_answer_has_recall_1_after_any_changes(seed: int, shares: list[float], page: int) -> None:
    generator = np.random.default_rng(seed)
    ids = np.arange(600)
    truth = begin()
    for start in range(0, len(ids), page):
        truth = truth.joined(rows(ids[start : start + page]))
    spare = np.arange(600, 1200)
    for share in shares:
        gone = generator.choice(ids, int(share * len(ids)), replace=False)
        came = generator.choice(spare, min(20, len(spare)), replace=False)
        truth = truth.without(gone).joined(rows(came))
        ids, spare = np.append(np.setdiff1d(ids, gone), came), np.setdiff1d(spare, came)
        recall = truth.recall(exact_answers(ids))
        assert recall.queries + recall.left_out == QUERIES
        assert recall.value in {1.0, None}


def test_the_lists_are_the_exact_neighbours_whatever_the_pages() -> None:
    ids = np.random.default_rng(1).permutation(1200)
    whole = begin().joined(rows(ids))
    paged = begin()
    for start in range(0, 1200, 7):
        paged = paged.joined(rows(ids[start : start + 7]))
    for query in range(QUERIES):
        assert whole.ids[query].tolist() == paged.ids[query].tolist() == exact(np.arange(1200), query, DEPTH)
    assert whole.unchanged.all()


def test_a_query_whose_list_is_used_up_is_left_out_and_counted() -> None:
    truth = begin().joined(rows(np.arange(1200)))
    truth = truth.without(truth.ids[0, : DEPTH - TOP_K + 1])
    recall = truth.recall(exact_answers(np.arange(1200)))
    assert recall.left_out >= 1
    assert recall.queries + recall.left_out == QUERIES


def test_a_wrong_answer_counts_by_its_share() -> None:
    ids = np.arange(1200)
    truth = begin().joined(rows(ids))
    answers = exact_answers(ids)
    answers[:, 6:] = -1  # the own row and five neighbours are left
    assert truth.recall(answers).value == 0.5


def test_rows_that_tie_with_the_tenth_are_as_right() -> None:
    same = np.tile(VECTORS[:1], (30, 1))
    truth = Truth.begin(VectorRows(np.array([0]), VECTORS[:1])).joined(VectorRows(np.arange(30), same))
    assert truth.recall(np.arange(19, 30)[None]).value == 1


def test_of_a_tiny_index_all_rows_are_neighbours() -> None:
    truth = begin().joined(rows(np.arange(4)))
    assert truth.recall(exact_answers(np.arange(4))).value == 1


def test_a_query_whose_row_was_changed_is_searched_on_but_need_not_find_itself() -> None:
    truth = begin().joined(rows(np.arange(600)))
    changed = truth.without(np.array([3])).joined(VectorRows(np.array([3]), VECTORS[900:901]))
    assert changed.unchanged.tolist() == [query != 3 for query in range(QUERIES)]
    assert 3 not in changed.ids[3]
    again = changed.without(np.array([3])).joined(rows(np.array([3])))
    assert again.unchanged.all()


def test_it_is_the_same_after_being_written(tmp_path: Path) -> None:
    truth = begin().joined(rows(np.arange(600)))
    digest = truth.save(tmp_path / "truth.npz")
    assert digest.bytes == (tmp_path / "truth.npz").stat().st_size
    again = Truth.load(tmp_path / "truth.npz")
    for name in Truth.__dataclass_fields__:
        assert np.array_equal(getattr(again, name), getattr(truth, name))


def test_a_damaged_file_is_named(tmp_path: Path) -> None:
    path = tmp_path / "truth.npz"
    with pytest.raises(ContractError, match=r"truth.npz"):
        Truth.load(path)
    path.write_bytes(b"no zip")
    with pytest.raises(ContractError, match=r"truth.npz is damaged"):
        Truth.load(path)
