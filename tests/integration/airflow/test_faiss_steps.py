"""The indexes step by step in real Airflow: trained, built while one table is away, looked at; the playlists."""

from __future__ import annotations

import time
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

import numpy as np
import pytest

from include.catalog.index_types import INDEX_TYPES, PROGRAMS
from include.cli.dag_runs import caused_run, finished
from include.faiss_index.reader import IndexReader
from include.music_index.folders import index_folder
from include.mysql.connection import MysqlConnection, Session
from include.mysql.schema import migrate
from include.mysql.seeds import ANY, seed
from include.playlists.connection import RedisConnection, connected
from tests.integration.running_stack import RunningStack

ROWS = 200
START = datetime(2026, 1, 1, 7, 58, tzinfo=UTC)
SONG, BROKEN = INDEX_TYPES["song"], INDEX_TYPES["artist"]
BOTH = {"type": "song,artist"}


@dataclass(frozen=True)
class Built:
    """A run of ``faiss_build`` of two types, of which one failed."""

    run: str
    song_before: str | None  # which version was served
    artist_before: str | None
    trained: dict[str, Any]
    playlists: dict[str, Any]  # of the run that the new index caused


@pytest.fixture(scope="module")
def built(running_stack: RunningStack) -> Built:
    settings, api = running_stack.settings, running_stack.api
    migrate(settings)
    seed(settings, [SONG, BROKEN], rows=ROWS, start=START, replaces=ANY)
    api.wait_for_dags({"faiss_train", "faiss_build", "faiss_info", "playlist_cache"})
    before = _served(running_stack)
    trained = finished(api, "faiss_train", api.trigger("faiss_train", BOTH), "report")
    assert _served(running_stack) == before
    while any(run["state"] in {"queued", "running"} for run in api.runs("playlist_cache")):
        time.sleep(0.5)  # what earlier tests have caused
    with Session(MysqlConnection.from_settings(settings).owned(settings)) as session:
        session.tell(f"RENAME TABLE {BROKEN.table} TO away", of="away")
        try:
            moment = datetime.now(UTC)
            run = api.trigger("faiss_build", BOTH)
            assert api.wait("faiss_build", run, seconds=120) == "failed"
        finally:
            session.tell(f"RENAME TABLE away TO {BROKEN.table}", of="away")
    playlists = finished(api, "playlist_cache", caused_run(api, "playlist_cache", moment), "cache")
    return Built(run, *before, trained, playlists)


def _served(running: RunningStack) -> tuple[str | None, str | None]:
    versions = (index_folder(kind, running.settings).current() for kind in (SONG, BROKEN))
    song, artist = (version and version.name for version in versions)
    return song, artist


def test_what_was_trained_is_built_and_one_failing_type_stops_no_other(
    running_stack: RunningStack, built: Built
) -> None:
    assert set(built.trained) == {"song", "artist"}
    song, artist = _served(running_stack)
    told = running_stack.api.xcom("faiss_build", built.run, "announce")["types"]
    assert list(told) == ["song"]
    assert told["song"]["version"] == song != built.song_before
    assert artist == built.artist_before
    states = running_stack.api.task_states("faiss_build", built.run)
    assert sorted(state for task, state in states.items() if task.startswith("build[")) == ["failed", "success"]
    assert (states["announce"], states["report"]) == ("success", "failed")
    assert "1 of 2 index types failed: artist." in running_stack.task_log("faiss_build", built.run, "report")


def test_a_new_index_causes_its_playlists(running_stack: RunningStack, built: Built) -> None:
    song, _ = _served(running_stack)
    assert built.playlists["index_versions"]["song"] == song
    assert set(built.playlists["sets"]) == set(PROGRAMS)


def test_info_tells_what_is_served(running_stack: RunningStack, built: Built) -> None:
    api = running_stack.api
    shown = finished(api, "faiss_info", api.trigger("faiss_info", {"type": "song"}), "info")
    version = index_folder(SONG, running_stack.settings).current()
    assert version is not None
    assert (shown["song"]["served"], shown["song"]["ntotal"]) == (version.name, version.manifest.ntotal)
    assert shown["song"]["d"] == SONG.dimension


def test_playlists_by_hand_write_the_sets_that_are_asked_for(running_stack: RunningStack, built: Built) -> None:
    api, settings = running_stack.api, running_stack.settings
    with connected(RedisConnection.from_settings(settings)) as client:
        client.delete("playlist_idx:drp_song")
        untouched = client.get("playlist_idx:fgy_song")
        asked = {"programs": "drp", "types": "song"}
        told = finished(api, "playlist_cache", api.trigger("playlist_cache", asked), "cache")
        found = np.frombuffer(client.get("playlist_idx:drp_song"), "<i4")
        assert client.get("playlist_idx:fgy_song") == untouched is not None
    assert told["sets"] == {"drp": {"song": len(found)}}
    reader = IndexReader(settings.state_dir / "faiss" / "song")
    assert len(found) > 0
    assert np.isin(found, reader.ids).all()
