"""Keywords as text: what lands, and what is served when something goes wrong."""

from __future__ import annotations

import os
import signal
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from datetime import UTC, datetime

import pytest

from include.elastic.index_generations import IndexGenerations
from include.errors import ContractError, EmbsearchError, GateFailed, InputError
from include.keywords import text
from include.settings import Settings
from include.sources.build import Build
from tests.integration.keywords.conftest import KEYWORDS, SHARD_ROWS, TEXT, KeywordStack
from tests.integration.reader import sees_only_whole_index
from tests.integration.runs import LOG, WorkflowProcess, new_run, stamps, wait_for_shards

SHARDS = -(-KEYWORDS // SHARD_ROWS)


def begun(stack: KeywordStack, shards: int = SHARDS, name: str = "") -> Build:
    """A build of the stack's keywords with its first ``shards`` finished."""
    build = text.plan(stack.text_parameters(), new_run(name), stack.settings)
    text.run_shards(build, range(shards), stack.settings)
    return build


def as_documents(keywords: list[str]) -> dict[str, dict[str, object]]:
    return {str(number): {"keyword": keyword, "keyword_id": number} for number, keyword in enumerate(keywords)}


def test_each_keyword_is_a_document_under_its_line_number(stack: KeywordStack, keywords: list[str]) -> None:
    lines = [*keywords[:30], "", keywords[3], "長" * 10_000, '🎒 [bold] \\ " \x07', *keywords[30:]]
    path = stack.write(lines)
    summary = stack.index_text(path)
    expected = as_documents(lines)
    for skipped in ("30", "31"):
        del expected[skipped]
    assert stack.documents() == expected
    assert summary["counts"] == {
        "read": KEYWORDS + 4, "written": KEYWORDS + 2, "skipped": {"blank": 1, "duplicate": 1}, "dead": 0,
    }  # fmt: skip
    assert summary["gate"]["documents"] == KEYWORDS + 2
    assert summary["gate"]["checked"] >= 50
    with stack.client as client:
        by_word = client.search(index=stack.alias, query={"match": {"keyword": keywords[7]}}, size=1)
        exactly = client.search(index=stack.alias, query={"term": {"keyword.raw": keywords[7]}})
    assert [hit["_id"] for found in (by_word, exactly) for hit in found["hits"]["hits"]] == ["7", "7"]


def test_readers_see_the_new_generation_only_when_it_is_whole(stack: KeywordStack, keywords: list[str]) -> None:
    first = stack.index_text(limit=40)
    build = begun(stack, SHARDS - 1)
    with pytest.raises(ContractError, match=rf"Shard {SHARDS - 1} of .* is not finished"):
        text.publish(build, stack.settings)
    assert stack.documents() == as_documents(keywords[:40])
    text.run_shards(build, range(SHARDS), stack.settings)
    second = text.publish(build, stack.settings)
    assert second["previous"] == first["generation"]
    assert stack.documents() == as_documents(keywords)
    assert stack.documents(first["generation"]) == as_documents(keywords[:40])


def test_an_index_with_more_than_was_written_is_not_served_and_pushes_no_good_one_out(
    stack: KeywordStack, keywords: list[str]
) -> None:
    served = stack.index_text(limit=40)
    build = begun(stack)
    with stack.client as client:
        client.index(index=build.generation, id="stray", document={"keyword": "stray", "keyword_id": 1})
        with pytest.raises(GateFailed, match=rf"holds {KEYWORDS + 1} documents, written were {KEYWORDS}"):
            text.publish(build, stack.settings)
        generations = IndexGenerations(client, stack.alias)
        assert generations.resolve() == served["generation"]
        with pytest.raises(ContractError, match="not promoted"):
            generations.promote(build.generation)
        last = stack.index_text()
        assert generations.generations() == [served["generation"], last["generation"]]


def test_documents_lost_before_the_gate_are_sent_again(stack: KeywordStack, keywords: list[str]) -> None:
    build = begun(stack)
    with stack.client as client:
        client.bulk(index=build.generation, operations=[{"delete": {"_id": str(number)}} for number in range(100)])
    text.publish(build, stack.settings)
    assert stack.documents() == as_documents(keywords)


def test_an_index_deleted_under_its_finished_shards_is_never_served_half_empty(
    stack: KeywordStack, keywords: list[str]
) -> None:
    served = stack.index_text(limit=40)
    build = begun(stack, 5, name="deleted")
    with stack.client as client:
        client.indices.delete(index=build.generation)
    with pytest.raises(InputError, match=f"no index '{build.generation}'"):
        text.run_shards(build, range(SHARDS), stack.settings)
    assert IndexGenerations(stack.client, stack.alias).resolve() == served["generation"]
    again = text.plan(stack.text_parameters(), new_run("deleted"), stack.settings)
    assert again.uri == build.uri
    text.run_shards(again, range(SHARDS), stack.settings)
    text.publish(again, stack.settings)
    assert stack.documents() == as_documents(keywords)


def test_an_index_that_elasticsearch_made_by_itself_is_not_served(stack: KeywordStack, keywords: list[str]) -> None:
    stack.index_text(limit=40)
    build = begun(stack, 0)

    def deleted_meanwhile() -> Iterator[int]:
        """Shards to do; when they are asked for, the writer has already seen the index."""
        with stack.client as client:
            client.indices.delete(index=build.generation)
        yield from range(SHARDS)

    text.run_shards(build, deleted_meanwhile(), stack.settings)
    with pytest.raises(GateFailed, match="made it again with a guessed mapping"):
        text.publish(build, stack.settings)
    assert stack.documents() == as_documents(keywords[:40])
    with stack.client as client:
        assert build.generation not in IndexGenerations(client, stack.alias).generations()


def test_a_damaged_part_is_an_error_that_names_its_folder(stack: KeywordStack) -> None:
    build = begun(stack)
    build.shard(2).part.unlink()
    with pytest.raises(ContractError, match=f"is missing or has changed.*Remove {build.shard(2).folder}"):
        text.publish(build, stack.settings)


def test_of_two_builds_at_once_the_newer_is_served_and_whole(stack: KeywordStack, keywords: list[str]) -> None:
    stack.index_text(limit=40)
    gate = threading.Barrier(2)

    def build_one(_: int) -> str:
        gate.wait()
        try:
            return str(stack.index_text()["generation"])
        except EmbsearchError as error:
            return str(error)

    with (
        sees_only_whole_index(stack.settings, stack.alias, before=40, after=KEYWORDS),
        ThreadPoolExecutor(2) as pool,
    ):
        ends = list(pool.map(build_one, range(2)))
    *_, older, newer = stack.builds(text.KIND)
    with stack.client as client:
        assert IndexGenerations(client, stack.alias).resolve() == newer.generation
    assert newer.generation in ends
    assert all(end in {older.generation, newer.generation} or "newer" in end for end in ends)
    assert stack.documents() == as_documents(keywords)


def test_a_killed_build_goes_on_and_repeats_no_finished_shard(stack: KeywordStack, keywords: list[str]) -> None:
    stack.index_text(limit=40)
    small = Settings(**{**stack.settings.model_dump(), "text_shard_rows": 3})
    again = WorkflowProcess(stack.folder, TEXT, small, stack.text_parameters(), "killed", datetime.now(UTC))
    with sees_only_whole_index(stack.settings, stack.alias, before=40, after=KEYWORDS):
        first = again.start()
        build = wait_for_shards(first, 20, lambda: stack.builds(text.KIND)[1:], stack.folder / LOG)
        os.kill(first.pid, signal.SIGKILL)
        first.wait()
        finished = stamps(build)
        assert len(finished) < build.input.shards
        assert again.start().wait(120) == 0, stack.log()
    assert {shard: stamp for shard, stamp in stamps(build).items() if shard in finished} == finished
    assert stack.documents() == as_documents(keywords)


def test_prune_keeps_as_many_generations_as_the_setting_says(stack: KeywordStack) -> None:
    three = replace(stack, settings=Settings(**{**stack.settings.model_dump(), "keep_generations": 3}))
    made = [three.index_text(limit=20 + number)["generation"] for number in range(4)]
    with stack.client as client:
        assert IndexGenerations(client, stack.alias).generations() == made[1:]
        assert [build.generation for build in stack.builds(text.KIND)] == made[1:]
        last = stack.index_text(limit=50)["generation"]
        assert IndexGenerations(client, stack.alias).generations() == [made[3], last]
    assert [build.generation for build in stack.builds(text.KIND)] == [made[3], last]


def test_a_file_that_was_cut_off_replaces_no_large_index_unless_it_is_meant(
    stack: KeywordStack, keywords: list[str]
) -> None:
    stack.index_text()
    cut_off = stack.write(keywords[:100], "cut_off.txt")
    words = rf"has 100 rows, served are {KEYWORDS}: .* min_share asks for.* \(all of the input was taken\)"
    with pytest.raises(GateFailed, match=words):
        stack.index_text(cut_off)
    assert stack.documents() == as_documents(keywords)
    stack.index_text(cut_off, min_share=0)
    assert stack.documents() == as_documents(keywords[:100])


def test_a_build_killed_just_before_it_was_served_pushes_no_good_one_out(
    stack: KeywordStack, monkeypatch: pytest.MonkeyPatch
) -> None:
    first = stack.index_text(limit=40)
    killed = begun(stack)

    def kill(*_: object) -> None:
        raise KeyboardInterrupt

    with monkeypatch.context() as patch, pytest.raises(KeyboardInterrupt):
        patch.setattr(IndexGenerations, "promote", kill)
        text.publish(killed, stack.settings)
    second = stack.index_text()
    with stack.client as client:
        generations = IndexGenerations(client, stack.alias)
        assert generations.generations() == [first["generation"], second["generation"]]
        assert generations.rollback() == first["generation"]


def test_publishing_again_gives_the_same_figures_and_touches_nothing(stack: KeywordStack) -> None:
    def written(generation: str) -> tuple[int, int]:
        with stack.client as client:
            stats = client.indices.stats(index=generation)["_all"]["primaries"]
        return stats["indexing"]["index_total"], stats["merges"]["total"]

    run = new_run()
    first = stack.index_text(run=run)
    newer = stack.index_text(limit=30, min_share=0)
    before = written(first["generation"])
    assert stack.index_text(run=run) == first
    assert written(first["generation"]) == before
    with stack.client as client:
        assert IndexGenerations(client, stack.alias).resolve() == newer["generation"]


def test_a_late_run_does_not_replace_a_newer_one(stack: KeywordStack, keywords: list[str]) -> None:
    late = begun(stack)
    newer = stack.index_text(limit=30)
    with pytest.raises(ContractError, match=rf"serves {newer['generation']}, which is newer than {late.generation}"):
        text.publish(late, stack.settings)
    assert stack.documents() == as_documents(keywords[:30])
