"""The rule that chooses an index."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from include.errors import InputError
from include.faiss_index.recipe import KINDS, MIN_POINTS_PER_LIST, choose

GIB = 1 << 30


def test_few_rows_are_searched_exactly() -> None:
    assert choose(999, 512, memory_budget_bytes=GIB).kind == "flat"
    assert choose(999, 512, memory_budget_bytes=GIB, kind="ivf_pq").kind == "flat"
    assert choose(1000, 512, memory_budget_bytes=GIB).kind == "ivf_sq8"


def test_one_byte_a_dimension_is_taken_while_it_fits() -> None:
    assert choose(500_000, 512, memory_budget_bytes=GIB).key == "IVF2048,SQ8"
    recipe = choose(10_000_000, 512, memory_budget_bytes=GIB)
    assert (recipe.kind, recipe.m, recipe.nbits) == ("ivf_pq_refine", 64, 8)


def test_what_fits_nowhere_is_refused_with_the_sizes() -> None:
    with pytest.raises(InputError, match="100,000,000 rows of 512 dimensions need .* MiB as ivf_pq_refine, 1,024 MiB"):
        choose(100_000_000, 512, memory_budget_bytes=GIB)


def test_the_documented_kind_has_64_bytes_a_vector() -> None:
    for dimension in (512, 1024):
        assert choose(500_000, dimension, memory_budget_bytes=GIB, kind="ivf_pq").key.endswith("PQ64x8np")


def test_what_is_given_is_taken() -> None:
    recipe = choose(50_000, 64, memory_budget_bytes=GIB, kind="ivf_pq", nlist=100, m=8, nprobe=5, training_rows=9_984)
    assert (recipe.key, recipe.nprobe, recipe.training_rows) == ("IVF100,PQ8x8np", 5, 9_984)


@pytest.mark.parametrize(
    ("given", "words"),
    [
        ({"m": 7}, "m=7 cannot be used: it must divide"),
        ({"nlist": 100, "training_rows": 50}, "training_rows=50 cannot be used: 100 lists"),
        ({"nlist": 100, "nprobe": 101}, "nprobe=101 cannot be used: there are 100 lists"),
        ({"nprobe": 0}, "nprobe=0 cannot be used"),
        ({"kind": "hnsw"}, "no kind of index 'hnsw'. There are: auto, flat, ivf_sq8"),
    ],
)
def test_a_value_that_cannot_be_used_is_named(given: dict[str, object], words: str) -> None:
    with pytest.raises(InputError, match=words):
        choose(50_000, 64, memory_budget_bytes=GIB, **{"kind": "ivf_pq", **given})  # type: ignore[arg-type]


def test_an_empty_table_is_refused() -> None:
    with pytest.raises(InputError, match="no rows"):
        choose(0, 512, memory_budget_bytes=GIB)


@given(st.integers(1, 50_000_000), st.sampled_from([2, 30, 32, 512, 1024]), st.sampled_from(KINDS))
def test_every_size_has_points_enough_to_train_on(rows: int, dimension: int, kind: str) -> None:
    recipe = choose(rows, dimension, memory_budget_bytes=1 << 60, kind=kind)
    assert recipe.training_rows <= rows
    assert recipe.training_rows * dimension * 4 <= GIB
    if recipe.kind != "flat":
        assert recipe.training_rows >= MIN_POINTS_PER_LIST * recipe.nlist
    if recipe.m:
        assert dimension % recipe.m == 0
        assert recipe.training_rows >= 39 << recipe.nbits
