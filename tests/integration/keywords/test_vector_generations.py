"""Which generation of keyword vectors is served, and which are kept."""

from __future__ import annotations

import threading
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import closing
from dataclasses import replace
from typing import Any

import pytest

from include.cli.rollback import What, put_back
from include.errors import ContractError, EmbsearchError, InputError
from include.keywords import vectors
from include.settings import Settings
from include.vector_store.folder_store import FolderStore
from include.vector_store.gate import VectorFigures
from include.vector_store.open import open_store
from include.vector_store.protocol import KeywordStore
from tests.integration.keywords.conftest import KEYWORDS, KeywordStack
from tests.integration.keywords.vector_builds import begun
from tests.integration.reader import sees_only_whole
from tests.integration.runs import new_run


def test_a_roll_back_serves_the_generation_before(stack: KeywordStack, keywords: list[str]) -> None:
    settings = stack.settings.model_copy(update={"collection": stack.alias})
    first = stack.index_vectors()
    stack.index_vectors(stack.write(keywords[:50], "fewer.txt"), min_share=0)
    assert len(stack.points()) == 50
    assert put_back(What.KEYWORD_VECTORS, None, settings) == first["generation"]
    assert stack.points() == dict(enumerate(keywords))
    with pytest.raises(InputError, match="has no generation before"):
        put_back(What.KEYWORD_VECTORS, None, settings)


def test_a_roll_back_to_what_a_build_is_about_to_drop_waits_and_readers_keep_what_is_served(
    stack: KeywordStack, keywords: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    settings = stack.settings.model_copy(update={"collection": stack.alias})
    first, second = (stack.index_vectors(limit=limit)["generation"] for limit in (20, 30))
    prune = FolderStore.prune
    with ThreadPoolExecutor(1) as pool:

        def asked_for_meanwhile(store: FolderStore, alias: str, **named: Any) -> list[str]:
            rolling_back.append(pool.submit(put_back, What.KEYWORD_VECTORS, first, settings))
            with pytest.raises(TimeoutError):
                rolling_back[0].result(timeout=0.5)
            return prune(store, alias, **named)

        rolling_back: list[Future[str]] = []
        monkeypatch.setattr(FolderStore, "prune", asked_for_meanwhile)
        third = stack.index_vectors(limit=40)["generation"]
        with pytest.raises(InputError, match=f"{first} is no generation of .*{second}, {third}"):
            rolling_back[0].result(timeout=60)
    assert stack.served() == third
    assert stack.points() == dict(enumerate(keywords[:40]))


def test_of_two_builds_at_once_the_newer_is_served_and_whole(stack: KeywordStack, keywords: list[str]) -> None:
    stack.index_vectors(limit=40)
    gate = threading.Barrier(2)

    def build_one(_: int) -> str:
        gate.wait()
        try:
            return str(stack.index_vectors()["generation"])
        except EmbsearchError as error:
            return str(error)

    with (
        closing(open_store(stack.settings.qdrant_url)) as store,
        sees_only_whole(lambda: store.info(stack.alias).points, before=40, after=KEYWORDS),
        ThreadPoolExecutor(2) as pool,
    ):
        ends = list(pool.map(build_one, range(2)))
    *_, older, newer = stack.builds(vectors.KIND)
    assert stack.served() == newer.generation
    assert newer.generation in ends
    assert all(end in {older.generation, newer.generation} or "newer" in end for end in ends)
    assert stack.points() == dict(enumerate(keywords))


def test_prune_keeps_as_many_generations_as_the_setting_says(stack: KeywordStack) -> None:
    three = replace(stack, settings=Settings(**{**stack.settings.model_dump(), "keep_generations": 3}))
    made = [three.index_vectors(limit=20 + number)["generation"] for number in range(4)]
    assert stack.generations() == made[1:]
    assert [build.generation for build in stack.builds(vectors.KIND)] == made[1:]
    last = stack.index_vectors(limit=50)["generation"]
    assert stack.generations() == [made[3], last]
    assert [build.generation for build in stack.builds(vectors.KIND)] == [made[3], last]


def test_a_build_killed_just_before_it_was_served_pushes_no_good_one_out(
    stack: KeywordStack, monkeypatch: pytest.MonkeyPatch
) -> None:
    first = stack.index_vectors(limit=40)
    killed = begun(stack)

    def kill(*_: object, **__: object) -> None:
        raise KeyboardInterrupt

    with monkeypatch.context() as patch, pytest.raises(KeyboardInterrupt):
        patch.setattr("include.keywords.vectors.check_vectors", kill)
        vectors.publish(killed, stack.settings)
    assert killed.generation in stack.generations()
    second = stack.index_vectors()
    assert stack.generations() == [first["generation"], second["generation"]]
    with pytest.raises(ContractError, match=f"serves {second['generation']}, which is newer than {killed.generation}"):
        vectors.publish(killed, stack.settings)


def test_a_generation_that_a_newer_one_dropped_during_its_gate_says_that_it_is_late(
    stack: KeywordStack, monkeypatch: pytest.MonkeyPatch
) -> None:
    late = begun(stack)
    newer = begun(stack)
    check = vectors.check_vectors

    def overtaken(store: KeywordStore, generation: str, *arguments: Any, **named: Any) -> VectorFigures:
        if generation == late.generation:
            vectors.publish(newer, stack.settings)
        return check(store, generation, *arguments, **named)

    monkeypatch.setattr("include.keywords.vectors.check_vectors", overtaken)
    with pytest.raises(ContractError, match=f"serves {newer.generation}, which is newer than {late.generation}"):
        vectors.publish(late, stack.settings)
    assert stack.generations() == [newer.generation]


def test_publishing_again_gives_the_same_figures_and_touches_nothing(stack: KeywordStack) -> None:
    run = new_run()
    first = stack.index_vectors(run=run)
    newer = stack.index_vectors(limit=30, min_share=0)
    assert stack.index_vectors(run=run) == first
    assert stack.served() == newer["generation"]


def test_a_late_run_does_not_replace_a_newer_one(stack: KeywordStack) -> None:
    late = begun(stack)
    newer = stack.index_vectors(limit=30)
    with pytest.raises(ContractError, match=rf"serves {newer['generation']}, which is newer than {late.generation}"):
        vectors.publish(late, stack.settings)
    assert stack.served() == newer["generation"]
