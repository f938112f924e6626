"""Which rows can be indexed, and how they come in batches."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import pytest

from include.errors import ContractError
from include.faiss_index.rows import batches, unit, usable
from include.generations.vectors import VectorRows


def rows(*vectors: list[float], first: int = 1) -> VectorRows:
    return VectorRows(np.arange(first, first + len(vectors)), np.array(vectors, np.float32))


def test_bad_rows_are_set_aside_with_their_reason() -> None:
    good, bad = usable(rows([3, 4], [float("nan"), 1], [0, 0], [float("-inf"), 1], [1e-30, 0], [3e38, 3e38]), 2)
    assert good.ids.tolist() == [1, 5, 6]
    assert np.allclose(np.linalg.norm(good.vectors, axis=1), 1)
    assert bad == {2: "it holds NaN or infinity", 3: "all of its values are 0", 4: "it holds NaN or infinity"}


def test_a_negative_id_is_a_bad_row_because_it_means_nobody_in_an_answer() -> None:
    assert usable(rows([1, 0], first=-1), 2)[1] == {-1: "its id is negative"}


def test_a_bad_row_is_refused_by_name_where_none_may_be() -> None:
    with pytest.raises(ContractError, match="Row 2 cannot be indexed: it holds NaN"):
        unit(rows([1, 0], [float("nan"), 0]), 2)


def test_vectors_of_another_model_are_refused() -> None:
    with pytest.raises(ContractError, match="do not fit an index of 3 dimensions"):
        unit(rows([1, 0]), 3)


def test_batches_hold_all_rows_in_order() -> None:
    pages = [rows([1, 0], [0, 1], first=1), rows(first=3), rows([1, 1], first=3), rows([1, 2], first=4)]
    pages[1] = VectorRows(np.empty(0, np.int64), np.empty((0, 2), np.float32))
    found = list(batches(pages, rows=3))
    assert [batch.ids.tolist() for batch in found] == [[1, 2, 3], [4]]
    assert found[0].vectors.tolist() == [[1, 0], [0, 1], [1, 1]]
    assert list(batches([])) == []


def test_no_more_pages_are_read_than_one_batch_needs() -> None:
    read = []

    def pages() -> Iterator[VectorRows]:
        for number in range(100):
            read.append(number)
            yield rows([1, 0], [0, 1], first=2 * number)

    found = batches(pages(), rows=4)
    next(found)
    assert read == [0, 1]
