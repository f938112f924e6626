"""What was refused is sent again after the cause is mended, and nothing is doubled by it."""

from __future__ import annotations

import json
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from elasticsearch import Elasticsearch

from include.elastic.bulk import BulkCounts, BulkWriter
from include.elastic.dead_letters import LetterBox, inventory, read_letters
from include.elastic.documents import Document
from include.elastic.index_generations import IndexGenerations
from include.elastic.locks import writing_index
from include.elastic.mappings import KEYWORD_MAPPING
from include.elastic.parameters import ReplayParameters
from include.elastic.replay import NOT_PUBLISHED, NOT_SERVED, replay, replay_dead_letters
from include.elastic.verify import verify
from include.errors import FatalError, InputError, ServiceUnavailable, TransientError
from include.generations.locks import locked
from include.settings import Settings
from tests.integration.elasticsearch_server import ElasticsearchServer

RED = [Document(f"red-{n}", {"keyword": f"赤い {n}", "keyword_id": n, "colour": "red"}) for n in range(5)]
BROKEN = [Document("broken", {"keyword": "lone \ud800 surrogate", "keyword_id": 1})]


@pytest.fixture
def settings(elasticsearch: ElasticsearchServer, tmp_path: Path) -> Settings:
    return Settings(es_url=elasticsearch.connection.hosts[0], state_dir=tmp_path)


@pytest.fixture
def generations(es_client: Elasticsearch, alias: str) -> IndexGenerations:
    return IndexGenerations(es_client, alias)


@pytest.fixture(autouse=True)
def _served(generations: IndexGenerations, writer: BulkWriter) -> None:
    generations.promote(writer.index)


def mend(client: Elasticsearch, index: str) -> None:
    client.indices.put_mapping(index=index, properties={"colour": {"type": "keyword"}})


def test_after_the_cause_is_mended_a_replay_writes_what_it_can_and_keeps_the_rest(
    es_client: Elasticsearch, writer: BulkWriter, dead_letters: Path, settings: Settings
) -> None:
    assert writer.write([*RED, *BROKEN]) == BulkCounts(dead=6)
    assert replay(es_client, settings, "run") == BulkCounts(dead=6)  # nothing is mended yet
    assert inventory(dead_letters)[0].letters == 6

    mend(es_client, writer.index)
    assert replay(es_client, settings, "run") == BulkCounts(indexed=5, dead=1)
    verify(es_client, writer.index, RED, count=5)
    (left,) = inventory(dead_letters)
    assert left.reasons == {"not_encodable": 1}
    assert left.samples[0].document == BROKEN[0].source

    assert replay(es_client, settings, "run") == BulkCounts(dead=1)  # twice adds nothing
    verify(es_client, writer.index, RED, count=5)


def test_letters_of_a_shard_that_was_done_twice_are_one(
    es_client: Elasticsearch, writer: BulkWriter, dead_letters: Path, settings: Settings
) -> None:
    writer.write(RED)
    writer.write(RED)
    assert inventory(dead_letters)[0].letters == 5
    mend(es_client, writer.index)
    assert replay(es_client, settings, "run") == BulkCounts(indexed=5)
    assert inventory(dead_letters) == []


def test_an_interrupted_replay_loses_nothing(
    es_client: Elasticsearch, writer: BulkWriter, dead_letters: Path, settings: Settings
) -> None:
    writer.write([*RED, *BROKEN])
    mend(es_client, writer.index)

    def interrupted(*_: object) -> BulkCounts:
        raise ServiceUnavailable("gone in the middle")

    with pytest.MonkeyPatch.context() as patch, pytest.raises(ServiceUnavailable):
        patch.setattr(BulkWriter, "write", interrupted)
        replay(es_client, settings, "run")
    assert inventory(dead_letters)[0].letters == 6
    writer.write([Document("blue", {"keyword": "x", "keyword_id": 1, "shape": "round"})])  # meanwhile
    assert replay(es_client, settings, "run") == BulkCounts(indexed=5, dead=2)
    verify(es_client, writer.index, RED, count=5)


def test_a_replay_does_not_replace_what_a_later_run_wrote(
    es_client: Elasticsearch, writer: BulkWriter, dead_letters: Path, settings: Settings
) -> None:
    def of_version(version: int, run: str) -> BulkWriter:
        return BulkWriter(es_client, writer.index, run_id=run, dead_letters=dead_letters, version=version)

    assert of_version(1000, "monday").write(RED) == BulkCounts(dead=5)
    later = Document(RED[0].id, {"keyword": "of tuesday", "keyword_id": 0})
    assert of_version(2000, "tuesday").write([later]) == BulkCounts(indexed=1)
    mend(es_client, writer.index)
    assert replay(es_client, settings, "monday") == BulkCounts(indexed=4, skipped={"older": 1})
    verify(es_client, writer.index, [later, *RED[1:]], count=5)


def test_letters_for_an_index_that_is_gone_stay(
    es_client: Elasticsearch, writer: BulkWriter, dead_letters: Path, settings: Settings
) -> None:
    writer.write(RED)
    es_client.indices.delete(index=writer.index)
    assert replay(es_client, settings, "run") == BulkCounts(skipped={NOT_SERVED: 5})
    assert inventory(dead_letters)[0].letters == 5
    assert not es_client.indices.exists(index=writer.index)


def test_letters_for_an_index_that_is_served_no_more_or_not_yet_stay_and_are_told(
    generations: IndexGenerations, writer: BulkWriter, settings: Settings, dead_letters: Path,
    caplog: pytest.LogCaptureFixture,
) -> None:  # fmt: skip
    es_client = generations.client
    writer.write(RED)
    mend(es_client, writer.index)
    newer = f"{generations.alias}__g2"
    generations.create(newer, KEYWORD_MAPPING, shards=1, replicas=0, bulk_load=True)
    BulkWriter(es_client, newer, run_id="newer", dead_letters=dead_letters).write(RED[:2])
    mend(es_client, newer)
    assert replay(es_client, settings, "newer") == BulkCounts(skipped={NOT_PUBLISHED: 2})
    assert f"2 dead letters stay: {newer} is not published. Replay them when its build is published" in caplog.text
    generations.finalise(newer)
    generations.promote(newer)
    assert replay(es_client, settings, "run") == BulkCounts(skipped={NOT_SERVED: 5})
    assert f"5 dead letters stay: {writer.index} is not served" in caplog.text
    assert {left.run: left.letters for left in inventory(dead_letters)} == {"run": 5, "newer": 2}
    assert replay(es_client, settings, "newer") == BulkCounts(indexed=2)
    verify(es_client, newer, RED[:2], count=2)


def test_a_replay_waits_while_the_name_moves(
    es_client: Elasticsearch, generations: IndexGenerations, writer: BulkWriter, settings: Settings
) -> None:
    writer.write(RED)
    mend(es_client, writer.index)
    with ThreadPoolExecutor(1) as pool:
        with writing_index(settings, generations.alias, purpose="publish", alone=True):
            replaying = pool.submit(replay, es_client, settings, "run")
            with pytest.raises(TimeoutError):
                replaying.result(timeout=0.5)
            newer = f"{generations.alias}__g2"
            generations.create(newer, KEYWORD_MAPPING, shards=1, replicas=0, bulk_load=False)
            generations.promote(newer)
        assert replaying.result(timeout=60) == BulkCounts(skipped={NOT_SERVED: 5})


def test_letters_for_an_index_outside_generations_are_sent(
    es_client: Elasticsearch, alias: str, settings: Settings, dead_letters: Path
) -> None:
    plain = f"{alias}-plain"
    es_client.indices.create(index=plain, mappings=KEYWORD_MAPPING)
    BulkWriter(es_client, plain, run_id="plain", dead_letters=dead_letters).write(RED)
    mend(es_client, plain)
    assert replay(es_client, settings, "plain") == BulkCounts(indexed=5)
    es_client.indices.delete(index=plain)


def leave_half_a_line(folder: Path, run: str) -> None:
    """As somebody does who is killed while he writes a letter."""
    with LetterBox(folder, run).path.open("ab") as file:
        file.write(b'{"time": "2026-11-21T07:00:00.000+00:00", "run": "')


class TestTheTask:
    """``replay_dead_letters`` as the DAG and the command call it."""

    def parameters(self, settings: Settings, **values: object) -> ReplayParameters:
        return ReplayParameters.checked({"es_url": settings.es_url, **values})

    def test_a_dry_run_tells_and_sends_nothing(
        self, settings: Settings, es_client: Elasticsearch, writer: BulkWriter, tmp_path: Path
    ) -> None:
        writer.write(RED)
        mend(es_client, writer.index)
        told = replay_dead_letters(self.parameters(settings), settings)
        assert told["letters"] == 5
        assert told["runs"][0]["reasons"] == {"strict_dynamic_mapping_exception": 5}
        assert es_client.count(index=writer.index)["count"] == 0

    def test_all_runs_or_one_are_replayed(
        self, settings: Settings, es_client: Elasticsearch, writer: BulkWriter, tmp_path: Path,
        dead_letters: Path,
    ) -> None:  # fmt: skip
        for run, document in zip(("one", "two", "three"), RED[:3], strict=True):
            BulkWriter(es_client, writer.index, run_id=run, dead_letters=dead_letters).write([document])
        mend(es_client, writer.index)
        told = replay_dead_letters(self.parameters(settings, run="two", dry_run=False), settings)
        assert (told["letters"], told["indexed"]) == (1, 1)
        told = replay_dead_letters(self.parameters(settings, dry_run=False), settings)
        assert (told["letters"], told["indexed"], told["dead"]) == (2, 2, 0)
        verify(es_client, writer.index, RED[:3], count=3)
        with pytest.raises(InputError, match="'two' has no dead letters"):
            replay_dead_letters(self.parameters(settings, run="two"), settings)

    def test_half_a_line_of_a_killed_writer_is_counted_and_dropped(
        self, settings: Settings, es_client: Elasticsearch, writer: BulkWriter, dead_letters: Path
    ) -> None:
        writer.write(RED)
        leave_half_a_line(dead_letters, "run")
        mend(es_client, writer.index)
        told = replay_dead_letters(self.parameters(settings, dry_run=False), settings)
        assert (told["letters"], told["unfinished"], told["indexed"], told["dead"]) == (5, 1, 5, 0)
        verify(es_client, writer.index, RED, count=5)
        assert inventory(dead_letters) == []

    def test_a_shard_that_was_killed_and_done_again_can_be_replayed(
        self, settings: Settings, es_client: Elasticsearch, writer: BulkWriter, dead_letters: Path
    ) -> None:
        writer.write(RED[:2])
        leave_half_a_line(dead_letters, "run")
        writer.write(RED)
        mend(es_client, writer.index)
        told = replay_dead_letters(self.parameters(settings, dry_run=False), settings)
        assert (told["letters"], told["indexed"]) == (5, 5)
        assert "damaged" not in told

    def test_runs_that_fail_keep_no_other_from_being_replayed_and_are_named(
        self, settings: Settings, es_client: Elasticsearch, writer: BulkWriter, dead_letters: Path
    ) -> None:
        runs = ["a-damaged", "b-good", "c-damaged", "d-good"]
        for run, document in zip(runs, RED, strict=False):
            BulkWriter(es_client, writer.index, run_id=run, dead_letters=dead_letters).write([document])
        for run in ("a-damaged", "c-damaged"):
            path = LetterBox(dead_letters, run).path
            path.write_bytes(b"not JSON\n" + path.read_bytes())
        mend(es_client, writer.index)
        with pytest.raises(FatalError) as failure:
            replay_dead_letters(self.parameters(settings, dry_run=False), settings)
        first, *named = str(failure.value).splitlines()
        assert first == "The dead letters of 2 of 4 runs could not be replayed. The others were."
        assert [one.partition(":")[0] for one in named] == ["a-damaged", "c-damaged"]
        assert all("line 1 is damaged" in one for one in named)
        verify(es_client, writer.index, [RED[1], RED[3]], count=2)
        assert {left.run: left.letters for left in inventory(dead_letters)} == {"a-damaged": 1, "c-damaged": 1}

    def test_a_run_that_another_replays_is_for_later_and_the_others_are_sent(
        self, settings: Settings, es_client: Elasticsearch, writer: BulkWriter, dead_letters: Path
    ) -> None:
        for run, document in zip(("one", "two"), RED, strict=False):
            BulkWriter(es_client, writer.index, run_id=run, dead_letters=dead_letters).write([document])
        mend(es_client, writer.index)
        with (
            locked(dead_letters / ".one.jsonl.replay.lock", purpose="a replay by hand"),
            pytest.raises(TransientError, match=r"of 1 of 2 runs could not.*\none: .*held by: a replay by hand"),
        ):
            replay_dead_letters(self.parameters(settings, dry_run=False), settings)
        verify(es_client, writer.index, [RED[1]], count=1)

    def test_what_it_tells_fits_where_task_results_travel(
        self, settings: Settings, writer: BulkWriter, es_client: Elasticsearch, tmp_path: Path,
        dead_letters: Path,
    ) -> None:  # fmt: skip
        for number in range(30):
            run = f"{'long' * 20}-{number}"
            document = Document("x" * 600, {"keyword": "x" * 10_000})
            BulkWriter(es_client, writer.index, run_id=run, dead_letters=dead_letters).write([*RED, document])
        told = replay_dead_letters(self.parameters(settings), settings)
        assert told["letters"] == 180
        assert len(json.dumps(told)) < 4096


def test_a_letter_says_all_that_is_known(writer: BulkWriter, dead_letters: Path) -> None:
    writer.write(RED[:1])
    (letter,) = read_letters([LetterBox(dead_letters, "run").path])
    assert letter.document == RED[0].source
    assert letter.operation == {"index": {"_id": "red-0"}}
    assert (letter.run, letter.index, letter.status, letter.attempts) == ("run", writer.index, 400, 1)
    assert letter.error["type"] == "strict_dynamic_mapping_exception"
    assert "colour" in letter.error["reason"]
    assert letter.time.startswith("20")
