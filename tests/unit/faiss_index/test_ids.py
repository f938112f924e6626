"""Sets of ids behave like sets."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from include.errors import ContractError
from include.faiss_index.ids import NONE, check_unique, places, united, without

IDS = st.sets(st.integers(0, 60) | st.integers(2**40, 2**63 - 1), max_size=40)


def ascending(ids: set[int]) -> np.ndarray:
    return np.array(sorted(ids), np.int64)


@given(IDS, IDS)
def test_they_are_united_and_taken_away_like_sets(first: set[int], second: set[int]) -> None:
    assert united(ascending(first), ascending(second)).tolist() == sorted(first | second)
    assert without(ascending(first), ascending(second)).tolist() == sorted(first - second)
    there, place = places(ascending(second), ascending(first))
    assert ascending(second)[there].tolist() == sorted(first & second)
    assert ascending(first)[place[there]].tolist() == sorted(first & second)


@given(IDS, st.lists(st.tuples(IDS, IDS), max_size=5), st.randoms())
def test_days_in_any_order_give_the_same_set_when_each_says_what_is_so_at_its_end(
    base: set[int], days: list[tuple[set[int], set[int]]], random: object
) -> None:
    ids = ascending(base)
    expected = set(base)
    for gone, came in days:
        ids = united(without(ids, ascending(gone)), ascending(came))
        expected = (expected - gone) | came
    assert ids.tolist() == sorted(expected)


def test_what_is_taken_away_may_be_doubled_and_unordered() -> None:
    assert without(np.array([1, 2, 3]), np.array([3, 1, 3, 9])).tolist() == [2]


@pytest.mark.parametrize("parts", [[[1, 2, 2]], [[1, 2], [3, 1]]])
def test_an_id_that_comes_twice_is_refused_by_name(parts: list[list[int]]) -> None:
    with pytest.raises(ContractError, match="id [12] comes more than once"):
        check_unique([np.array(part) for part in parts], "The rows")


def test_no_ids_are_no_problem() -> None:
    assert check_unique([], "The rows").tolist() == []
    assert united(NONE, NONE).tolist() == []
