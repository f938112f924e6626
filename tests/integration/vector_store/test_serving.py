"""Serving generations: on every back end one step moves the alias, and only what is old goes."""

from __future__ import annotations

import time
from functools import partial
from typing import Any

import pytest
from qdrant_client import models

from include.bench.synthetic import clustered
from include.errors import ContractError, InputError
from include.generations.promotion import outdated
from include.vector_store import folders, server_generations
from include.vector_store.protocol import NO_ID
from include.vector_store.server import ServerStore
from include.vector_store.server_build import BEGUN
from include.vector_store.server_generations import ABANDONED_SECONDS
from tests.integration.reader import reading
from tests.integration.vector_store.backends import DIMENSION, POINTS, Backend


def test_promote_serves_under_the_alias_and_tells_the_previous(backend: Backend) -> None:
    store, alias = backend.store, backend.alias
    first, second = backend.build(1), backend.build(2, clustered(9, DIMENSION))
    assert store.resolve(alias) is None
    assert store.promote(alias, first) is None
    assert (store.resolve(alias), store.info(alias).points) == (first, POINTS)
    assert store.promote(alias, second) == first
    assert (store.resolve(alias), store.info(alias).points) == (second, 9)
    found = store.search(alias, clustered(9, DIMENSION), 10)
    assert (found.ids[:, 9] == NO_ID).all()
    assert sum(len(ids) for ids, _ in store.keywords(alias)) == 9
    assert store.promote(alias, first) == second  # roll back


def test_promote_of_an_unsealed_generation_is_refused(backend: Backend) -> None:
    served = backend.build(1)
    backend.store.promote(backend.alias, served)
    unsealed, _ = backend.begin(2)
    for generation in (unsealed, backend.generation(3)):
        with pytest.raises(ContractError, match=f"{generation}.*not sealed"):
            backend.store.promote(backend.alias, generation)
    assert backend.store.resolve(backend.alias) == served


def test_several_threads_search_while_the_alias_moves(backend: Backend) -> None:
    rows = clustered(POINTS, DIMENSION)
    built = [backend.build(number) for number in (1, 2, 3)]
    backend.store.promote(backend.alias, built[0])

    def first_found(person: int) -> tuple[int, tuple[int, ...]]:
        return person, tuple(backend.store.search(backend.alias, rows[:8], 3).ids[:, 0].tolist())

    with reading(*(partial(first_found, person) for person in range(4))) as searches:
        searches.wait_for(lambda: len(searches.answered) >= 4)  # everybody searches
        for turn in range(12):
            backend.store.promote(backend.alias, built[turn % 3])
            searches.wait_for_more(2)
    assert set(searches.answered) == {(person, tuple(range(8))) for person in range(4)}


def test_prune_keeps_the_newest_and_the_served_one(backend: Backend) -> None:
    store, alias = backend.store, backend.alias
    built = [backend.build(number, clustered(4, DIMENSION)) for number in range(1, 6)]
    other = Backend(backend.kind, backend.url, store, alias + "x").build(1, clustered(4, DIMENSION))
    store.promote(alias, built[0])
    assert store.prune(alias, keep=2) == built[1:3]
    assert store.generations(alias) == [built[0], built[3], built[4]]
    assert store.search(alias, clustered(4, DIMENSION), 1).ids[:, 0].tolist() == [0, 1, 2, 3]
    store.promote(alias, built[4])
    assert store.prune(alias, keep=1) == [built[0], built[3]]
    assert store.generations(alias) == [built[4]]
    assert store.info(other).points == 4


def test_prune_spares_what_takes_the_name_after_it_was_found_too_old(
    backend: Backend, monkeypatch: pytest.MonkeyPatch
) -> None:
    store, alias = backend.store, backend.alias
    built = [backend.build(number, clustered(4, DIMENSION)) for number in (1, 2, 3, 4)]
    store.promote(alias, built[3])

    def and_then_rolled_back_to(*arguments: Any, **named: Any) -> list[str]:
        found = outdated(*arguments, **named)
        store.rollback(alias, built[0])
        return found

    for module in (folders, server_generations):
        monkeypatch.setattr(module, "outdated", and_then_rolled_back_to)
    assert store.prune(alias, keep=2) == [built[1]]
    assert store.resolve(alias) == built[0]
    assert store.info(alias).points == 4


def test_what_a_roll_back_left_pushes_no_good_one_out_and_is_served_again_by_name_only(backend: Backend) -> None:
    store, alias = backend.store, backend.alias
    first, good, bad = (backend.build(number, clustered(4, DIMENSION)) for number in (1, 2, 3))
    for generation in (first, good, bad):
        store.promote(alias, generation)
    assert store.rollback(alias) == good
    assert store.info(bad).points == 4
    assert store.rollback(alias, bad) == bad == store.resolve(alias)  # after all; so the mark is gone
    assert store.rollback(alias) == good
    fourth = backend.build(4, clustered(4, DIMENSION))
    store.promote(alias, fourth)
    assert store.prune(alias, keep=2) == [first, bad]
    assert store.generations(alias) == [good, fourth]
    assert store.rollback(alias) == good
    with pytest.raises(InputError, match="has no generation before"):
        store.rollback(alias)
    with pytest.raises(InputError, match="is no generation of"):
        store.rollback(alias, bad)


def test_a_generation_can_be_dropped_and_built_again_but_never_the_served_one(backend: Backend) -> None:
    store, alias = backend.store, backend.alias
    served, refused = (backend.build(number, clustered(4, DIMENSION)) for number in (1, 2))
    store.promote(alias, served)
    store.search(refused, clustered(4, DIMENSION), 1)
    for name in (served, refused):
        store.drop(name)
    assert store.generations(alias) == [served]
    assert backend.build(2, clustered(3, DIMENSION)) == refused
    assert store.search(refused, clustered(4, DIMENSION), 4).ids[0].tolist().count(NO_ID) == 1


@pytest.mark.parametrize("backend", ["memory", "server"], indirect=True)  # in folders the build lock tells
def test_prune_removes_what_dead_builds_left_on_a_server_and_nothing_that_may_live(backend: Backend) -> None:
    store = backend.store
    assert isinstance(store, ServerStore)
    client = store._client
    dead, _ = backend.begin(1)
    live, rows = backend.begin(2)
    foreign = f"{backend.alias}__backup"
    client.create_collection(foreign, vectors_config=models.VectorParams(size=4, distance=models.Distance.DOT))
    client.update_collection(dead, metadata={BEGUN: int(time.time()) - ABANDONED_SECONDS - 60})
    client.update_collection(live, metadata={BEGUN: int(time.time()) - ABANDONED_SECONDS + 600})

    assert store.prune(backend.alias, keep=1) == []
    assert not client.collection_exists(dead)
    assert client.collection_exists(foreign)
    assert store.seal(live, expected=len(rows)).points == len(rows)
    assert backend.build(1) == dead  # and can be begun again
