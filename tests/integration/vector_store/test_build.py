"""Building a generation: what every back end keeps, replaces and refuses."""

from __future__ import annotations

import numpy as np
import pytest

from include.bench.synthetic import clustered
from include.errors import ContractError
from include.vector_store.collection import keyword_table
from include.vector_store.protocol import NO_ID
from tests.integration.vector_store.backends import DIMENSION, FACTS, POINTS, Backend


def test_a_sealed_generation_tells_what_it_holds(backend: Backend) -> None:
    generation = backend.build(1)
    info = backend.store.info(generation)
    assert (info.generation, info.dimension, info.points) == (generation, DIMENSION, POINTS)
    assert (info.model, info.model_fingerprint) == ("minilm", "abc")


def test_an_upsert_of_the_same_id_replaces_it(backend: Backend) -> None:
    generation, rows = backend.begin(1)
    backend.store.upsert(generation, np.array([5]), rows[:1], ["renamed"])
    backend.store.seal(generation, expected=POINTS)
    assert set(backend.store.search(generation, rows[:1], 2).ids[0]) == {0, 5}
    texts = keyword_table(backend.store, generation)
    assert (texts[5], texts[6]) == ("renamed", "keyword 6")


def test_an_empty_generation_can_be_sealed_and_searched(backend: Backend) -> None:
    generation = backend.generation(1)
    backend.store.begin(generation, dimension=DIMENSION, **FACTS)
    backend.store.seal(generation, expected=0)
    assert (backend.store.search(generation, clustered(2, DIMENSION), 3).ids == NO_ID).all()
    assert list(backend.store.keywords(generation)) == []


def test_a_count_other_than_expected_is_not_sealed(backend: Backend) -> None:
    generation, rows = backend.begin(1)
    with pytest.raises(ContractError, match=f"{POINTS} points, not the {POINTS + 1} expected"):
        backend.store.seal(generation, expected=POINTS + 1)
    assert backend.store.generations(backend.alias) == []
    assert backend.build(1, rows) == generation  # and can be built again


def test_beginning_again_drops_what_was_not_sealed(backend: Backend) -> None:
    backend.begin(1)
    generation = backend.build(1, clustered(5, DIMENSION))
    assert backend.store.info(generation).points == 5


def test_a_sealed_generation_cannot_be_begun_or_changed(backend: Backend) -> None:
    generation = backend.build(1)
    with pytest.raises(ContractError, match="sealed already"):
        backend.store.begin(generation, dimension=DIMENSION, **FACTS)
    with pytest.raises(ContractError, match="not being built"):
        backend.store.upsert(generation, np.array([1]), clustered(1, DIMENSION), ["x"])
    assert backend.store.info(generation).points == POINTS


def test_points_that_cannot_be_searched_are_refused(backend: Backend) -> None:
    generation = backend.generation(1)
    backend.store.begin(generation, dimension=DIMENSION, **FACTS)
    ids, rows = np.arange(2), clustered(2, DIMENSION)
    broken = rows.copy()
    broken[1, 3] = np.nan
    cases = {
        "32 dimensions": (ids, clustered(2, 8), ["a", "b"]),
        "keyword 1 has a vector with NaN": (ids, broken, ["a", "b"]),
        "as many": (ids, rows, ["a"]),
        "-1 is negative": (np.array([0, -1]), rows, ["a", "b"]),
        "lone surrogate": (ids, rows, ["a", "\ud800"]),
    }
    for words, (some_ids, vectors, keywords) in cases.items():
        with pytest.raises(ContractError, match=words):
            backend.store.upsert(generation, some_ids, vectors, keywords)
    backend.store.seal(generation, expected=0)
