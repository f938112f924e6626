"""The demo's files have the names that the DAGs look for."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path

import pytest

from include.settings import PROJECT_ROOT
from include.sources.demo_data import DAY_ZONE, RUNS_AT, write_daily


@pytest.mark.parametrize(
    ("now", "newest"),
    [
        (datetime(2026, 3, 1, 20, 59, tzinfo=UTC), "2026-03-01"),
        (datetime(2026, 3, 1, 21, 0, tzinfo=UTC), "2026-03-02"),
    ],
)
def test_daily_files_are_of_days_that_a_backfill_reaches_by_the_clock_of_the_daily_dag(
    tmp_path: Path, now: datetime, newest: str
) -> None:
    write_daily(tmp_path, "{date}.txt", 2, now)
    files = sorted(path.stem for path in tmp_path.iterdir())
    assert len(files) == 3
    assert files[-1] == newest


def test_the_day_is_that_of_the_daily_dag() -> None:
    dag = (PROJECT_ROOT / "dags" / "product_linking_daily.py").read_text(encoding="utf-8")
    assert f'tz="{DAY_ZONE.key}"' in dag
    assert f'CronTriggerTimetable("0 {RUNS_AT.seconds // 3600} * * *", timezone="{DAY_ZONE.key}"' in dag
