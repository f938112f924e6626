from __future__ import annotations

import numpy as np
import pytest

from include.model_export.floors import FLOORS, cosines, rank_agreement
from include.model_export.items import Encoded, batched, largest_weights

RANDOM = np.random.default_rng(0)
VECTORS = RANDOM.normal(size=(60, 32)).astype(np.float32)


def test_the_floors_are_those_that_are_promised() -> None:
    assert [FLOORS[precision].min_cosine for precision in ("fp32", "fp16", "int8")] == [0.9999, 0.999, 0.95]
    assert FLOORS["int8"].mean_cosine == 0.98
    assert FLOORS["int8"].top10_overlap == 0.85
    assert all(floors.max_norm_error == 1e-4 for floors in FLOORS.values())


def test_a_cosine_does_not_see_the_norm() -> None:
    assert cosines(VECTORS, 3 * VECTORS) == pytest.approx(np.ones(60))
    assert cosines(VECTORS, -VECTORS) == pytest.approx(-np.ones(60))


def test_ranks_agree_wholly_with_themselves_and_hardly_with_other_vectors() -> None:
    other = RANDOM.normal(size=VECTORS.shape).astype(np.float32)

    assert rank_agreement(VECTORS, 2 * VECTORS) == 1.0
    assert rank_agreement(VECTORS, other) < 0.4  # by chance 10 of 59


def test_ranks_may_differ_where_cosines_are_high() -> None:
    near = VECTORS[0] + 0.05 * VECTORS  # all nearly the same
    blurred = near + 0.05 * RANDOM.normal(size=near.shape)

    assert cosines(near, blurred.astype(np.float32)).min() > 0.98
    assert rank_agreement(near, blurred.astype(np.float32)) < 0.6


def test_of_few_items_all_others_are_the_nearest() -> None:
    assert rank_agreement(VECTORS[:4], VECTORS[4:8]) == 1.0


def test_of_each_token_the_largest_weight_counts_and_zeros_are_left_out() -> None:
    ids = np.array([[0, 5, 7, 5, 2], [0, 9, 2, 1, 1]])
    weights = np.array([[0, 0.25, 0.5, 0.75, 0], [0, 0, 0, 0, 0]], np.float32)

    assert largest_weights(ids, weights) == ({5: 0.75, 7: 0.5}, {})


def test_batches_keep_the_order_of_the_items() -> None:
    sizes = []

    def encode(items: object) -> Encoded:
        assert isinstance(items, list)
        sizes.append(len(items))
        return Encoded(np.array([[len(item)] for item in items], np.float32), tuple({len(item): 1.0} for item in items))

    answer = batched(encode, ["a", "bb", "ccc", "dddd", "eeeee"], 2)

    assert sizes == [2, 2, 1]
    assert answer.vectors.ravel().tolist() == [1, 2, 3, 4, 5]
    assert [list(row) for row in answer.weights] == [[1], [2], [3], [4], [5]]
