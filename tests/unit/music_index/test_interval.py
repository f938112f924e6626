"""Which changes a run looks for."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta

import pytest

from include.errors import InputError
from include.generations.run import Run
from include.music_index.interval import ZONE, Interval, interval_of

END = datetime(2026, 11, 21, 16, 58, tzinfo=ZONE)
DAY = timedelta(days=1)


def test_changes_are_looked_for_from_the_earlier_of_watermark_and_interval_less_the_overlap() -> None:
    daily = Interval(END - DAY, END)
    assert daily.since(END - 3 * DAY, DAY) == END - 4 * DAY  # two days were missed
    assert daily.since(END + 5 * DAY, DAY) == END - 2 * DAY  # a backfill
    assert Interval(None, END).since(END - DAY, timedelta(hours=2)) == END - DAY - timedelta(hours=2)


def test_without_a_watermark_and_a_start_all_changes_are_looked_for() -> None:
    assert Interval(None, END).since(None, 365 * DAY) < datetime(1971, 1, 1, tzinfo=UTC)


def test_a_late_run_for_an_early_day_does_not_put_the_watermark_back() -> None:
    daily = Interval(END - DAY, END)
    assert daily.watermark(None) == END
    assert daily.watermark(END - 2 * DAY) == END
    assert daily.watermark(END + DAY) == END + DAY


def test_a_day_is_named_as_in_seoul() -> None:
    assert Interval(None, datetime(2026, 11, 20, 15, 1, tzinfo=UTC)).day == date(2026, 11, 21)


def test_a_day_that_is_asked_for_is_the_interval_of_its_daily_run() -> None:
    run = Run("key", END + 3 * DAY)
    assert interval_of(run, "2026-11-21") == Interval(END - DAY, END)
    assert interval_of(run) == Interval(None, run.date)
    assert interval_of(Run("key", END, start=END - DAY)) == Interval(END - DAY, END)


@pytest.mark.parametrize(("day", "words"), [("2026-02-30", "is no day"), ("2026-11-22", "still to come")])
def test_a_day_that_is_none_or_not_over_is_refused(day: str, words: str) -> None:
    with pytest.raises(InputError, match=words):
        interval_of(Run("key", END), day)
