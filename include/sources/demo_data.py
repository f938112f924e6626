"""Data for the demo: written once, so that a second demo finds the same and embeds nothing anew."""

from __future__ import annotations

from datetime import datetime, timedelta
from pathlib import Path
from zoneinfo import ZoneInfo

from include.sources.generators import Kind, write_texts

DAYS = 3
DAY_ZONE = ZoneInfo("Asia/Seoul")  # of the daily DAG, which names its input by the day that it runs on
RUNS_AT = timedelta(hours=6)  # of that day


def write_once(path: Path, kind: Kind, count: int, *, seed: int = 0) -> None:
    """Write ``count`` English texts unless the file is there: it may be the user's own."""
    if not path.exists():
        write_texts(path, kind, count, language="en", seed=seed)


def write_daily(root: Path, pattern: str, count: int, now: datetime) -> None:
    """Products of the last days that the daily DAG was due on, each day its own; ``now`` has a time zone."""
    due = now.astimezone(DAY_ZONE) - RUNS_AT
    for back in range(DAYS):
        day = due - timedelta(days=back)
        write_once(root / pattern.replace("{date}", f"{day:%Y-%m-%d}"), "products", count, seed=day.toordinal())
