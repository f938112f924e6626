"""Bytes become vectors, or are set aside by reason."""

from __future__ import annotations

from collections import Counter

import numpy as np
import pytest

from include.errors import InputError
from include.faiss_index.rows import usable
from include.mysql.decoding import decode

D = 4


def row(*values: float, kind: str = "<f4") -> bytes:
    return np.array(values, kind).tobytes()


GOOD = row(1, 2, 3, 4)


def test_good_rows_keep_their_order_and_their_exact_values() -> None:
    rows, bad = decode([(3, GOOD), (9, row(0.1, -2, 0, 1e-3))], D, "<f4", "t")
    assert rows.ids.tolist() == [3, 9]
    assert rows.ids.dtype == np.int64
    assert rows.vectors.dtype == np.float32
    np.testing.assert_array_equal(rows.vectors[1], np.array([0.1, -2, 0, 1e-3], np.float32))
    assert bad == ()


@pytest.mark.parametrize(
    ("blob", "reason", "detail"),
    [
        (None, "null", ""),
        (GOOD[:-4], "wrong length", "12 bytes, 16 are expected of float32"),
        (GOOD + b"\0", "wrong length", "17 bytes, 16 are expected of float32"),
        (b"", "wrong length", "0 bytes, 16 are expected of float32"),
        (row(1, float("nan"), 0, 0), "not finite", ""),
        (row(1, float("-inf"), 0, 0), "not finite", ""),
        (row(0, 0, 0, 0), "zero norm", ""),
    ],
)
def test_what_cannot_be_a_vector_is_set_aside_with_its_reason_and_the_rest_stays(
    blob: bytes | None, reason: str, detail: str
) -> None:
    rows, bad = decode([(1, GOOD), (2, blob), (3, GOOD)], D, "<f4", "t")
    assert rows.ids.tolist() == [1, 3]
    assert rows.vectors.shape == (2, D)
    assert [(found.id, found.reason, found.detail) for found in bad] == [(2, reason, detail)]


@pytest.mark.parametrize("values", [(3e38, 3e38, 0, 0), (2e19, 0, 0, 0), (1e-23, 0, 0, 0), (1e-45, 0, 0, 0)])
def test_a_vector_however_long_or_short_has_a_direction_and_can_be_indexed(values: tuple[float, ...]) -> None:
    rows, bad = decode([(1, row(*values))], D, "<f4", "t")
    assert bad == ()
    np.testing.assert_array_equal(rows.vectors, np.array([values], np.float32))
    good, refused = usable(rows, D)
    assert refused == {}
    assert np.linalg.norm(good.vectors, axis=1) == pytest.approx(1)


def test_a_short_row_beside_one_that_is_longer_by_as_much_is_not_taken_for_two_good_ones() -> None:
    rows, bad = decode([(1, GOOD[:-4]), (2, GOOD + GOOD[:4]), (3, GOOD)], D, "<f4", "t")
    assert rows.ids.tolist() == [3]
    assert Counter(found.reason for found in bad) == {"wrong length": 2}


def test_half_precision_is_widened() -> None:
    rows, bad = decode([(1, row(1, 0.5, 0, -2, kind="<f2"))], D, "<f2", "t")
    assert rows.vectors.dtype == np.float32
    assert rows.vectors.tolist() == [[1, 0.5, 0, -2]]
    assert bad == ()


def test_no_rows_are_no_vectors() -> None:
    rows, bad = decode([], D, "<f4", "t")
    assert rows.vectors.shape == (0, D)
    assert bad == ()


def test_a_column_of_text_is_refused() -> None:
    with pytest.raises(InputError, match="tb_x: the column of vectors holds text.*EMBSEARCH_MYSQL_VECTOR_COLUMN"):
        decode([(1, "[0.1, 0.2]")], D, "<f4", "tb_x")  # type: ignore[list-item]


@pytest.mark.parametrize("number", ["a1", 2**63])
def test_ids_that_no_index_can_hold_are_refused(number: object) -> None:
    with pytest.raises(InputError, match=r"whole numbers below 2\^63"):
        decode([(number, GOOD)], D, "<f4", "tb_x")  # type: ignore[list-item]
