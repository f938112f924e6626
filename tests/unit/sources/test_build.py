"""Which build a run gets: its own one, or a new one."""

from __future__ import annotations

import os
import time
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest

from include.errors import ContractError, InputError
from include.generations.counts import Counts
from include.generations.files import sha256_of
from include.generations.run import Run
from include.settings import Settings
from include.sources.build import Build
from include.sources.builds import all_builds, begin, prune_builds, unless_stuck
from include.sources.files import Source
from include.sources.plan import InputPlan, plan_input

ONE = {"es_url": "http://one"}
DATE = datetime(2026, 11, 21, 7, tzinfo=UTC)


class Asking:
    """The same command or task, given again and again, each time a minute later."""

    def __init__(self, folder: Path, *, repeats: bool) -> None:
        self.settings = Settings(state_dir=folder / "state")
        self.source = Source(folder / "in.txt", "text")
        self.source.path.write_text("a\nb\nc\n")
        self.repeats, self.times = repeats, 0
        self.server = "http://one"

    def again(self, model: str = "one", key: str = "key") -> Build:
        self.times += 1
        run = Run(key, DATE + timedelta(minutes=self.times), repeats=self.repeats)
        facts = {"model": model, "parameters": {"es_url": self.server}}
        return begin(self.settings, "kind", "alias", self.source, run, limit=0, shard_rows=2, facts=facts)


@pytest.fixture
def command(tmp_path: Path) -> Asking:
    return Asking(tmp_path, repeats=False)


@pytest.fixture
def task(tmp_path: Path) -> Asking:
    return Asking(tmp_path, repeats=True)


def test_a_command_given_again_goes_on_with_its_unfinished_build(command: Asking) -> None:
    assert command.again().uri == command.again().uri
    assert command.again(key="other").uri != command.again().uri


def test_a_command_given_again_after_its_end_starts_a_new_build(command: Asking) -> None:
    first = command.again()
    first.mark_published({"figures": 1})
    assert command.again().generation > first.generation


def test_a_command_does_not_go_on_with_a_build_that_was_refused(command: Asking) -> None:
    first = command.again()
    first.mark_refused("the gate")
    assert command.again().uri != first.uri


def test_a_command_does_not_go_on_with_a_build_of_another_model(command: Asking) -> None:
    first = command.again("one")
    second = command.again("two")
    assert second.uri != first.uri
    assert command.again("one").uri == first.uri


def test_a_task_keeps_its_own_build_whatever_happened(task: Asking) -> None:
    first = task.again("one")
    first.mark_refused("the gate")
    assert task.again("two").uri == first.uri
    first.mark_published({"figures": 1})
    assert task.again().published() == {"figures": 1}


def test_counts_of_a_build_are_those_of_its_plan_and_its_shards(command: Asking) -> None:
    command.source.path.write_text("a\n\nb\na\nc\n")
    build = command.again()
    with pytest.raises(ContractError, match="Shard 0 of .* is not finished"):
        build.counts()
    for shard in range(build.input.shards):
        rows = build.rows(shard)
        table = pa.table({"text": [row.text for row in rows]})
        build.finish_shard(shard, table, Counts(len(rows), len(rows) - 1, {"older": 1}), {"bulk": 0.5})
    assert build.counts() == Counts(5, 1, {"blank": 1, "duplicate": 1, "older": 2})


def test_prune_drops_published_builds_that_are_not_kept_and_no_unfinished_one(command: Asking) -> None:
    published = [command.again(key=str(number)) for number in range(3)]
    for build in published:
        build.mark_published({})
    unfinished = command.again(key="unfinished")
    prune_builds(command.settings, "kind", "alias", keep=[published[2].generation], server=ONE)
    left = [build.generation for build in all_builds(command.settings, "kind", "alias")]
    assert left == [published[2].generation, unfinished.generation]


def test_prune_drops_what_nobody_resumed_for_a_week_and_nothing_that_goes_on(command: Asking, task: Asking) -> None:
    left, resumed = command.again(key="left"), task.again()
    for build in (left, resumed):
        for path in (build.folder.folder / "plan.json", build.folder.folder):
            os.utime(path, (time.time() - 8 * 24 * 3600,) * 2)
    assert task.again().generation == resumed.generation
    prune_builds(command.settings, "kind", "alias", keep=[], server=ONE)
    assert [build.generation for build in all_builds(command.settings, "kind", "alias")] == [resumed.generation]


def test_what_a_build_replaced_is_remembered_when_it_finds_itself_served(command: Asking) -> None:
    build = command.again()
    assert not build.took_name
    assert build.previous("alias__older") == "alias__older"
    assert Build.load(build.uri).previous(build.generation) == "alias__older"
    assert build.took_name
    first = command.again(key="first")
    assert first.previous(None) is None
    assert first.previous(first.generation) is None


def test_a_build_reads_its_input_once_to_recognise_it(command: Asking, monkeypatch: pytest.MonkeyPatch) -> None:
    hashed: list[Path] = []

    def counted(path: Path) -> str:
        hashed.append(path)
        return sha256_of(path)

    monkeypatch.setattr("include.sources.builds.sha256_of", counted)
    build = command.again()
    assert hashed == [command.source.path]
    assert build.input.fingerprint == sha256_of(command.source.path)


def test_a_file_that_is_still_being_written_is_refused(command: Asking, monkeypatch: pytest.MonkeyPatch) -> None:
    def written_meanwhile(source: Source, *arguments: Any, **named: Any) -> InputPlan:
        planned = plan_input(source, *arguments, **named)
        source.path.write_text("a\nb\nc\nd\n")
        return planned

    monkeypatch.setattr("include.sources.builds.plan_input", written_meanwhile)
    with pytest.raises(InputError, match="in.txt changed while it was read. Run this again"):
        command.again()
    monkeypatch.undo()
    assert command.again().input.rows == 4


def test_a_number_of_tasks_that_changes_during_a_run_leaves_no_shard_out(task: Asking) -> None:
    build = task.again()
    assert build.task_ranges(1) == [(0, 2)]
    assert task.again().task_ranges(2) == [(0, 2)]


def test_prune_leaves_alone_what_the_same_alias_has_on_another_server(command: Asking) -> None:
    command.server = "http://two"
    elsewhere = command.again()
    elsewhere.mark_published({})
    prune_builds(command.settings, "kind", "alias", keep=[], server=ONE)
    assert [build.generation for build in all_builds(command.settings, "kind", "alias")] == [elsewhere.generation]
    prune_builds(command.settings, "kind", "alias", keep=[], server={"es_url": "http://two"})
    assert not list(all_builds(command.settings, "kind", "alias"))


def test_prune_knows_a_server_by_whatever_spelling_a_build_was_begun_with(command: Asking) -> None:
    for command.server in ("http://localhost:9200", "http://127.0.0.1:9200/", "http://node:9200,http://LOCALHOST:9200"):
        command.again(key=command.server).mark_published({})
    prune_builds(command.settings, "kind", "alias", keep=[], server={"es_url": "http://localhost:9200"})
    assert not list(all_builds(command.settings, "kind", "alias"))


def test_an_unfinished_build_whose_beginnings_are_gone_makes_room_and_a_published_one_stands(task: Asking) -> None:
    def gone(_: Build) -> None:
        raise ContractError("the model is served no more")

    def anew() -> Build:
        return task.again(key="anew")

    build = task.again()
    assert unless_stuck(build, lambda _: None, anew).uri == build.uri
    assert unless_stuck(build, gone, anew).uri == anew().uri != build.uri
    build.mark_published({})
    assert unless_stuck(build, gone, anew).uri == build.uri


def test_broken_rows_are_told_with_their_file_and_are_not_dead(task: Asking) -> None:
    task.source.path.write_bytes(b"a\nb\nc\n\xff\n")
    build = task.again()
    told = build.told(build.input.counts)
    assert told["run"] == build.generation
    assert told["counts"] == {"read": 4, "written": 3, "skipped": {"unusable": 1}, "dead": 0}
    assert len(Path(told["unusable"]).read_text().splitlines()) == 1
