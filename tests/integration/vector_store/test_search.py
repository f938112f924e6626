"""Searching a generation: every back end finds what exact search finds, and gives the keywords back."""

from __future__ import annotations

import numpy as np
import pytest

from include.bench.synthetic import clustered
from include.errors import ContractError, InputError
from include.vector_store.oracle import ExactSearch
from include.vector_store.protocol import NO_ID
from tests.integration.vector_store.backends import DIMENSION, FACTS, POINTS, Backend


def test_search_finds_each_point_itself_best_first(backend: Backend) -> None:
    rows = clustered(POINTS, DIMENSION)
    generation = backend.build(1)
    found = backend.store.search(generation, rows[:50], 10)
    assert (found.ids.shape, found.ids.dtype, found.scores.dtype) == ((50, 10), np.int64, np.float32)
    assert found.ids[:, 0].tolist() == list(range(50))
    assert (np.diff(found.scores, axis=1) <= 0).all()
    truth = np.einsum("nkd,nd->nk", rows[found.ids], rows[:50])
    assert np.allclose(found.scores, truth, atol=1e-4)


def test_scores_and_neighbours_are_those_of_exact_search(backend: Backend) -> None:
    # The engine's graph needs points above the threshold under which it searches exactly (a server: for each of
    # its segments, up to 8), and clusters above the 30 asked for: beyond a cluster is noise that no graph leads to.
    points, dimension = 36_000 if backend.kind in {"edge", "server"} else 5000, 640
    rows, queries = clustered(points, dimension), clustered(50, dimension, draw=1)
    generation = backend.build(1, rows)
    if backend.kind in {"edge", "server"}:
        assert backend.store.info(generation).indexed > 0
    truth = ExactSearch(queries, 30)
    truth.add(np.arange(points), rows)
    found = backend.store.search(generation, queries, 30)
    assert truth.recall(found) >= 0.99
    assert np.allclose(found.scores, np.einsum("nkd,nd->nk", rows[found.ids], queries), atol=1e-4)


def test_no_query_gives_no_row(backend: Backend) -> None:
    generation = backend.build(1)
    assert backend.store.search(generation, np.empty((0, DIMENSION), np.float32), 5).ids.shape == (0, 5)


def test_top_k_above_the_collection_is_filled_up(backend: Backend) -> None:
    generation = backend.build(1, clustered(3, DIMENSION))
    found = backend.store.search(generation, clustered(3, DIMENSION), 30)
    assert (np.sort(found.ids[:, :3], axis=1) == [0, 1, 2]).all()
    assert (found.ids[:, 3:] == NO_ID).all()
    assert np.isnan(found.scores[:, 3:]).all()


def test_top_k_of_zero_is_refused(backend: Backend) -> None:
    generation = backend.build(1)
    with pytest.raises(InputError, match="top_k is 0"):
        backend.store.search(generation, clustered(1, DIMENSION), 0)


def test_queries_that_cannot_be_searched_are_refused(backend: Backend) -> None:
    generation = backend.build(1)
    with pytest.raises(ContractError):
        backend.store.search(generation, clustered(2, 8), 3)
    broken = clustered(2, DIMENSION)
    broken[1, 0] = np.inf
    with pytest.raises(ContractError, match="query 1 has a vector with NaN or infinity"):
        backend.store.search(generation, broken, 3)


def test_an_unknown_collection_is_named(backend: Backend) -> None:
    for name in (backend.alias, backend.generation(7)):
        for ask in (
            lambda name=name: backend.store.info(name),
            lambda name=name: backend.store.search(name, clustered(1, DIMENSION), 3),
            lambda name=name: list(backend.store.keywords(name)),
        ):
            with pytest.raises(InputError, match=name):
                ask()
    assert backend.store.resolve(backend.alias) is None
    assert backend.store.generations(backend.alias) == []


def test_keywords_come_back_in_id_order_whatever_their_characters(backend: Backend) -> None:
    texts = ["贅沢 登山リュック", "키워드", "emoji 🏔️", 'quote " and \\', "tab\tand\nline", "nul \0 inside", ""]
    ids = np.array([70, 10, 60, 20, 50, 30, 40])
    generation = backend.generation(1)
    backend.store.begin(generation, dimension=DIMENSION, **FACTS)
    backend.store.upsert(generation, ids, clustered(7, DIMENSION), texts)
    backend.store.seal(generation, expected=7)
    pages = list(backend.store.keywords(generation))
    found = {one: text for page_ids, page in pages for one, text in zip(page_ids.tolist(), page, strict=True)}
    assert list(found) == sorted(ids.tolist())
    assert found == dict(zip(ids.tolist(), texts, strict=True))


def test_many_keywords_come_back_in_pages_none_missing(backend: Backend) -> None:
    count = 12_000
    generation = backend.build(1, clustered(count, 4))
    pages = list(backend.store.keywords(generation))
    assert len(pages) > 1
    assert np.concatenate([ids for ids, _ in pages]).tolist() == list(range(count))
    assert [text for _, page in pages for text in page] == [f"keyword {i}" for i in range(count)]


def test_the_keywords_of_some_ids_are_found_without_the_others(backend: Backend) -> None:
    generation = backend.build(1)
    backend.store.promote(backend.alias, generation)
    assert backend.store.keywords_of(backend.alias, [7, 3, 10**9]) == {3: "keyword 3", 7: "keyword 7"}
    assert backend.store.keywords_of(generation, []) == {}
