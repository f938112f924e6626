"""An index that drifts, in real Airflow: the increment raises the alert, and a rebuild of that type alone follows."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Any

import pytest

from include.catalog.index_types import INDEX_TYPES
from include.cli.dag_runs import caused_run, finished, switch_on
from include.cli.demo_faiss import last_end
from include.music_index.folders import index_folder
from include.mysql.connection import MysqlConnection, Session
from include.mysql.schema import migrate
from include.mysql.seeds import ANY, seed
from tests.integration.running_stack import RunningStack

DAILY, REBUILD, PLAYLISTS = "faiss_daily_increment", "faiss_rebuild", "playlist_cache"
KIND = INDEX_TYPES["album_name"]
ROWS = 200
START = datetime(2026, 1, 1, 7, 58, tzinfo=UTC)


@pytest.fixture
def gone(running_stack: RunningStack) -> Iterator[None]:
    """An index most of whose rows have left its table, and so the neighbours of its sample queries; they come back."""
    settings, api = running_stack.settings, running_stack.api
    migrate(settings)
    api.wait_for_dags({REBUILD, DAILY, PLAYLISTS})
    switch_on(api, DAILY, last_end(datetime.now(UTC)))
    api.set_paused(PLAYLISTS, paused=True)  # they would shrink
    build(running_stack)
    with Session(MysqlConnection.from_settings(settings).owned(settings)) as session:
        session.tell(f"DELETE FROM {KIND.table} WHERE idx % 6 <> 0", of=KIND.table)
    yield
    build(running_stack)
    api.set_paused(PLAYLISTS, paused=False)


def build(running: RunningStack) -> None:
    seed(running.settings, [KIND], rows=ROWS, start=START, replaces=ANY)
    run = running.api.trigger(REBUILD, {"type": KIND.name, "min_share": 0})
    assert running.api.wait(REBUILD, run, seconds=120) == "success"


def test_an_increment_over_a_threshold_alerts_and_starts_a_rebuild(running_stack: RunningStack, gone: None) -> None:
    api, before = running_stack.api, datetime.now(UTC)
    run = api.trigger(DAILY, {"type": KIND.name, "min_share": 0})
    drift: dict[str, Any] = finished(api, DAILY, run, "drift")
    (alert,) = drift["alerts"][KIND.name]
    assert "of the sample queries can still be measured (limit 0.5)" in alert
    assert f"Drift: {KIND.name}: {alert}. " in running_stack.task_log(DAILY, run, "drift")
    rebuilt = caused_run(api, REBUILD, before)
    assert finished(api, REBUILD, rebuilt, "types") == [KIND.name]
    version = index_folder(KIND, running_stack.settings).current()
    assert version is not None
    assert version.manifest.quality.queries == version.manifest.quality_at_build.queries > 0
