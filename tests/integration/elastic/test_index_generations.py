"""A new generation is built beside the served one and takes its name in one step."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest
from elasticsearch import Elasticsearch

from include.elastic import index_generations
from include.elastic.bulk import BulkWriter
from include.elastic.documents import Document
from include.elastic.index_generations import IndexGenerations
from include.elastic.mappings import KEYWORD_MAPPING, LINK_MAPPING
from include.errors import ContractError, InputError

Build = Callable[..., str]


@pytest.fixture
def generations(es_client: Elasticsearch, alias: str) -> IndexGenerations:
    return IndexGenerations(es_client, alias)


@pytest.fixture
def build(es_client: Elasticsearch, generations: IndexGenerations, dead_letters: Path) -> Build:
    """Fill generation ``number`` with as many documents and finalise it; return its name."""

    def make(number: int, *, finalise: bool = True) -> str:
        name = f"{generations.alias}__g{number}"
        generations.create(name, KEYWORD_MAPPING, shards=1, replicas=0, bulk_load=True, meta={"input": "sha"})
        writer = BulkWriter(es_client, name, run_id=name, dead_letters=dead_letters)
        writer.write(Document(str(i), {"keyword": f"of {number}", "keyword_id": i}) for i in range(number))
        if finalise:
            generations.finalise(name)
        return name

    return make


def test_a_load_runs_without_refresh_and_the_finalised_index_has_normal_settings(
    es_client: Elasticsearch, generations: IndexGenerations, build: Build
) -> None:
    name = build(3, finalise=False)

    def settings() -> dict[str, object]:
        found: dict[str, object] = es_client.indices.get_settings(index=name, flat_settings=True)[name]["settings"]
        return found

    assert settings()["index.refresh_interval"] == "-1"
    assert settings()["index.translog.durability"] == "async"
    generations.finalise(name)
    assert "index.refresh_interval" not in settings()
    assert "index.translog.durability" not in settings()
    segments = es_client.indices.segments(index=name)["indices"][name]["shards"]["0"][0]["num_search_segments"]
    assert segments == 1
    generations.finalise(name)  # may be repeated


def test_replicas_come_back_when_the_load_is_over(es_client: Elasticsearch, generations: IndexGenerations) -> None:
    name = f"{generations.alias}__g1"

    def replicas() -> str:
        settings = es_client.indices.get_settings(index=name)[name]["settings"]["index"]
        return str(settings["number_of_replicas"])

    generations.create(name, LINK_MAPPING, shards=2, replicas=1, bulk_load=True)
    assert replicas() == "0"
    generations.finalise(name)
    assert replicas() == "1"


def test_readers_see_the_old_generation_until_the_new_one_is_promoted(
    generations: IndexGenerations, build: Build
) -> None:
    assert generations.resolve() is None
    first = build(1)
    assert generations.promote(first) is None
    second = build(2)
    assert generations.count(generations.alias) == 1
    assert generations.promote(second) == first
    assert generations.count(generations.alias) == 2
    assert generations.resolve() == second
    assert generations.promote(second) == second  # said twice


def test_a_half_built_generation_is_not_promoted(generations: IndexGenerations, build: Build) -> None:
    first = build(1)
    generations.promote(first)
    with pytest.raises(ContractError, match="not finalised"):
        generations.promote(build(2, finalise=False))
    with pytest.raises(InputError, match="no such index"):
        generations.promote(f"{generations.alias}__never")
    assert generations.resolve() == first


def served(generations: IndexGenerations, name: str) -> str:
    generations.promote(name)
    return name


def test_roll_back_serves_the_one_before_or_the_one_named(generations: IndexGenerations, build: Build) -> None:
    names = [served(generations, build(number)) for number in (1, 2, 3)]
    assert generations.rollback() == names[1]
    assert generations.rollback() == names[0]
    with pytest.raises(InputError, match=r"no generation before .* --to NAME"):
        generations.rollback()
    assert generations.rollback(names[2]) == names[2]
    assert generations.count(generations.alias) == 3


def test_prune_spares_an_index_that_takes_the_name_after_it_was_found_too_old(
    generations: IndexGenerations, build: Build, monkeypatch: pytest.MonkeyPatch
) -> None:
    names = [served(generations, build(number)) for number in (1, 2, 3, 4)]
    outdated = index_generations.outdated

    def and_then_rolled_back_to(*arguments: Any, **named: Any) -> list[str]:
        found = outdated(*arguments, **named)
        generations.rollback(names[0])
        return found

    monkeypatch.setattr(index_generations, "outdated", and_then_rolled_back_to)
    assert generations.prune(keep=2) == [names[1]]
    assert generations.resolve() == names[0]
    assert generations.count(generations.alias) == 1


def test_prune_keeps_the_newest_the_served_and_what_is_being_built(generations: IndexGenerations, build: Build) -> None:
    names = [served(generations, build(number)) for number in (1, 2, 3, 4)]
    building = build(5, finalise=False)
    generations.promote(names[0])
    assert generations.prune(keep=2) == [names[1]]
    assert generations.generations() == [names[0], names[2], names[3]]
    generations.promote(names[3])
    assert generations.prune(keep=1) == [names[0], names[2]]
    assert generations.meta(building)["input"] == "sha"
    assert generations.prune(keep=1) == []


def test_what_a_roll_back_left_pushes_no_good_one_out_and_is_served_again_by_name_only(
    generations: IndexGenerations, build: Build
) -> None:
    first, good, bad = (served(generations, build(number)) for number in (1, 2, 3))
    assert generations.rollback() == good
    assert generations.rollback(bad) == bad == generations.resolve()  # after all; so the mark is gone
    assert generations.rollback() == good
    fourth = served(generations, build(4))
    assert generations.prune(keep=2) == [first, bad]
    assert generations.generations() == [good, fourth]
    assert generations.rollback() == good
    with pytest.raises(InputError, match="no generation before"):
        generations.rollback()


def test_a_roll_back_over_several_leaves_them_all(generations: IndexGenerations, build: Build) -> None:
    first, *later = (served(generations, build(number)) for number in (1, 2, 3))
    assert generations.rollback(first) == first
    fourth = served(generations, build(4))
    assert generations.prune(keep=2) == later
    assert generations.rollback() == first
    assert generations.generations() == [first, fourth]


def test_what_was_never_served_is_no_generation_to_go_back_to_and_pushes_none_out(
    es_client: Elasticsearch, generations: IndexGenerations, build: Build
) -> None:
    first = served(generations, build(1))
    late = build(2)
    last = served(generations, build(3))
    assert generations.prune(keep=2) == []
    assert generations.generations() == [first, last]
    assert generations.rollback() == first
    assert es_client.indices.exists(index=late)  # it may still be promoted
    generations.finalise(first)  # a generation that was served stays one
    assert generations.generations() == [first, last]


def test_an_interrupted_build_finds_its_index_again(generations: IndexGenerations, build: Build) -> None:
    name = build(3, finalise=False)

    def create(mapping: dict[str, Any], source: str) -> bool:
        return generations.create(name, mapping, shards=1, replicas=0, bulk_load=True, meta={"input": source})

    assert create(KEYWORD_MAPPING, "sha") is False
    generations.finalise(name)
    assert generations.count(name) == 3
    with pytest.raises(ContractError, match="begun by another run: input differ"):
        create(KEYWORD_MAPPING, "other")
    with pytest.raises(ContractError, match="schema differ"):
        create(LINK_MAPPING, "sha")


def test_an_index_from_before_there_were_generations_keeps_its_data(
    es_client: Elasticsearch, generations: IndexGenerations, build: Build
) -> None:
    legacy = {"properties": {"keyword": {"type": "text"}, "keyword_id": {"type": "integer"}}}
    es_client.indices.create(index=generations.alias, mappings=legacy)
    es_client.index(index=generations.alias, id="1", document={"keyword": "legacy", "keyword_id": 1}, refresh=True)
    assert generations.resolve() == generations.alias

    second = build(2)
    kept = generations.promote(second)

    assert kept is not None
    assert generations.resolve() == second
    assert generations.generations() == sorted([kept, second])
    assert generations.count(generations.alias) == 2
    generations.rollback(kept)
    found = es_client.get(index=generations.alias, id="1")["_source"]
    assert found == {"keyword": "legacy", "keyword_id": 1}
    es_client.index(index=generations.alias, id="2", document={"keyword": "new"})  # it can be written again


def test_the_generations_of_a_longer_name_are_another_alias_s(
    es_client: Elasticsearch, generations: IndexGenerations, build: Build
) -> None:
    other = IndexGenerations(es_client, f"{generations.alias}_2")
    other.create(f"{other.alias}__g1", KEYWORD_MAPPING, shards=1, replicas=0, bulk_load=False)
    other.promote(f"{other.alias}__g1")
    mine = served(generations, build(1))
    assert generations.generations() == [mine]
    assert other.generations() == [f"{other.alias}__g1"]


def test_an_index_begun_by_several_at_once_is_created_once(generations: IndexGenerations) -> None:
    def create(_: int) -> bool:
        return generations.create(f"{generations.alias}__g1", KEYWORD_MAPPING, shards=1, replicas=0, bulk_load=True)

    with ThreadPoolExecutor(4) as pool:
        assert sorted(pool.map(create, range(4))) == [False, False, False, True]
