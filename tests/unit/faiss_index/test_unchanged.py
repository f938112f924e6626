"""Rows that an index holds already are known as such, by what it stores of them."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from include.faiss_index.engine import remove
from include.faiss_index.opened import OpenIndex
from include.faiss_index.recipe import choose
from include.faiss_index.rows import unit
from include.faiss_index.training import train
from include.faiss_index.unchanged import Stored
from include.generations.vectors import VectorRows

ROWS, DIMENSION = 1500, 32


def rows(count: int, seed: int = 0) -> VectorRows:
    vectors = np.random.default_rng(seed).standard_normal((count, DIMENSION)).astype(np.float32)
    return VectorRows(np.arange(count, dtype=np.int64) * 3 + 5, vectors)


@pytest.mark.parametrize(("kind", "count"), [("flat", 300), ("ivf_sq8", ROWS), ("ivf_pq", ROWS)])
def test_the_same_rows_are_unchanged_in_any_scale_and_others_are_not(kind: str, count: int, tmp_path: Path) -> None:
    given = rows(count)
    recipe = choose(count, DIMENSION, memory_budget_bytes=1 << 30, kind=kind)
    index = train(given, recipe).empty_index()
    index.add_with_ids(unit(given, DIMENSION).vectors, given.ids)
    opened = OpenIndex.of(index, given.ids, recipe, tmp_path)
    stored = Stored(opened, recipe)
    assert stored.same(VectorRows(given.ids, 8 * given.vectors)).mean() > 0.99
    assert not stored.same(VectorRows(given.ids, -given.vectors)).any()
    assert not stored.same(VectorRows(given.ids + 1, given.vectors)).any()
    remove(index, given.ids[:10])
    assert not stored.same(VectorRows(given.ids[:10], given.vectors[:10])).any()
    few = stored.same(VectorRows(given.ids[10:13], given.vectors[10:13]))
    assert few.tolist() == [True] * 3
    assert stored.same(VectorRows(given.ids[:0], given.vectors[:0])).tolist() == []
