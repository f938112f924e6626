"""The indexes over MySQL in real Airflow: seven types at once, of which one fails; days of a backfill; what is told."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from include.catalog.index_types import ALL, INDEX_TYPES, index_types
from include.cli.dag_runs import switch_on
from include.cli.demo_faiss import last_end
from include.faiss_index.version import Version
from include.music_index.folders import index_folder
from include.music_index.interval import ZONE
from include.mysql.connection import MysqlConnection, Session
from include.mysql.schema import migrate
from include.mysql.seeds import ANY, play_day, seed
from tests.integration.running_stack import RunningStack

START = datetime(2026, 1, 1, 16, 58, tzinfo=ZONE)
ROWS = 200
DAILY = "faiss_daily_increment"
XCOM_LIMIT = 4096
BROKEN = INDEX_TYPES["artist"]


@pytest.fixture(scope="module")
def built(running_stack: RunningStack) -> dict[str, Any]:
    """Seven indexes, each of its table; what their rebuild told."""
    settings, api = running_stack.settings, running_stack.api
    migrate(settings)
    seed(settings, index_types(ALL), rows=ROWS, start=START, replaces=ANY)
    api.wait_for_dags({"faiss_rebuild", DAILY, "faiss_rollback", "playlist_cache"})
    run = api.trigger("faiss_rebuild")
    assert api.wait("faiss_rebuild", run, seconds=300) == "success"
    told: dict[str, Any] = api.xcom("faiss_rebuild", run, "announce")["types"]
    switch_on(api, DAILY, last_end(datetime.now(UTC)))
    return told


@pytest.fixture(scope="module")
def broken_days(running_stack: RunningStack, built: dict[str, Any]) -> list[str]:
    """The runs of a backfill over two days, while the table of one type is away."""
    settings, api = running_stack.settings, running_stack.api
    for day in (1, 2):
        play_day(settings, index_types(ALL), day, rows=ROWS, start=START)
    with Session(MysqlConnection.from_settings(settings).owned(settings)) as session:
        session.tell(f"RENAME TABLE {BROKEN.table} TO away", of="away")
        try:
            first = START.replace(hour=0, minute=0) + timedelta(days=1)
            api.wait_backfill(api.backfill(DAILY, first, first + timedelta(hours=47, minutes=59)), seconds=300)
        finally:
            session.tell(f"RENAME TABLE away TO {BROKEN.table}", of="away")
    runs = [run for run in api.runs(DAILY) if run["run_type"] == "backfill"]
    return [run["dag_run_id"] for run in sorted(runs, key=lambda run: run["data_interval_end"])]


def served(running: RunningStack, name: str) -> Version:
    version = index_folder(INDEX_TYPES[name], running.settings).current()
    assert version is not None
    return version


def test_one_run_builds_all_seven_and_tells_who_depends_on_them(
    running_stack: RunningStack, built: dict[str, Any]
) -> None:
    assert set(built) == set(INDEX_TYPES)
    for name, told in built.items():
        assert told["version"] == served(running_stack, name).name
        assert told["rows"] == served(running_stack, name).manifest.ntotal > ROWS * 0.9
    events = running_stack.get("assets/events?limit=100")["asset_events"]
    assert {"types": built} in [event["extra"] for event in events if event["name"] == "faiss_index"]


def test_one_failing_type_stops_no_other_and_the_last_task_says_which(
    running_stack: RunningStack, broken_days: list[str]
) -> None:
    assert len(broken_days) == 2
    for run in broken_days:
        assert running_stack.state(DAILY, run) == "failed"
        states = running_stack.api.task_states(DAILY, run)
        assert sorted(state for task, state in states.items() if task.startswith("increment[")) == [
            "failed", *["success"] * 6
        ]  # fmt: skip
        assert (states["announce"], states["drift"], states["report"]) == ("success", "skipped", "failed")
        said = running_stack.task_log(DAILY, run, "report")
        assert "1 of 7 index types failed: artist. The others are done." in said
        told = running_stack.api.xcom(DAILY, run, "announce")["types"]
        assert set(told) == set(INDEX_TYPES) - {"artist"}
        names = {task["rendered_map_index"] for task in running_stack.tasks(DAILY, run) if task["map_index"] >= 0}
        assert names == set(INDEX_TYPES)


def test_each_day_of_a_backfill_takes_its_own_rows(running_stack: RunningStack, broken_days: list[str]) -> None:
    versions = [running_stack.api.xcom(DAILY, run, "announce")["types"]["song"] for run in broken_days]
    assert all(told["new"] > 0 for told in versions)
    manifest = served(running_stack, "song").manifest
    assert manifest.version == versions[-1]["version"]
    assert manifest.parent == versions[0]["version"]
    assert manifest.origin.interval_end == START + timedelta(days=2)
    assert manifest.origin.interval_start == START + timedelta(days=1)
    published = running_stack.settings.faiss_published_folder
    assert {f"muse_vibe_2026010{day}.index" for day in (2, 3)} <= {path.name for path in published.iterdir()}


def test_the_type_that_failed_is_made_up_for_by_a_run_of_its_own(
    running_stack: RunningStack, broken_days: list[str]
) -> None:
    api = running_stack.api
    run = api.trigger(DAILY, {"type": "artist", "date": "2026-01-03"})
    assert api.wait(DAILY, run, seconds=120) == "success"
    assert set(api.xcom(DAILY, run, "announce")["types"]) == {"artist"}
    back = api.trigger("faiss_rollback", {"type": "artist"})
    assert api.wait("faiss_rollback", back, seconds=120) == "success"
    told = api.xcom("faiss_rollback", back, "announce")["types"]["artist"]
    assert (
        told["version"]
        == served(running_stack, "artist").name
        != api.xcom(DAILY, run, "announce")["types"]["artist"]["version"]
    )


def test_an_unknown_type_fails_the_run_at_its_first_task_and_the_last_points_there(
    running_stack: RunningStack, built: dict[str, Any]
) -> None:
    run = running_stack.api.trigger("faiss_rebuild", {"type": "songs"})
    assert running_stack.api.wait("faiss_rebuild", run, seconds=120) == "failed"
    states = running_stack.api.task_states("faiss_rebuild", run)
    assert (states["types"], states["announce"], states["report"]) == ("failed", "skipped", "failed")
    assert "There is no index type 'songs'" in running_stack.task_log("faiss_rebuild", run, "types")
    assert "first task failed: see its log" in running_stack.task_log("faiss_rebuild", run, "report")


def test_nothing_that_travels_is_larger_than_4_kib(running_stack: RunningStack, broken_days: list[str]) -> None:
    paths = (f"dags/{dag}/dagRuns/~/taskInstances/~/xcomEntries?limit=100" for dag in (DAILY, "faiss_rebuild"))
    ours = [entry for path in paths for entry in running_stack.get(path)["xcom_entries"]]
    assert {entry["task_id"] for entry in ours} >= {"types", "rebuild", "increment", "announce", "report"}
    for entry in ours:
        run = f"dags/{entry['dag_id']}/dagRuns/{entry['run_id']}/taskInstances/{entry['task_id']}"
        value = running_stack.get(f"{run}/xcomEntries/{entry['key']}?map_index={entry['map_index']}")["value"]
        assert len(json.dumps(value).encode()) < XCOM_LIMIT, entry
