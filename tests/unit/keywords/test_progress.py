"""A long embedding says how far it is."""

from __future__ import annotations

import logging

import pytest

from include.keywords.progress import Progress


class Clock:
    """Seconds that pass when they are told to."""

    now = 0.0

    def __call__(self) -> float:
        return self.now


def test_rows_rate_and_time_left_are_told_every_fifteen_seconds(caplog: pytest.LogCaptureFixture) -> None:
    clock = Clock()
    progress = Progress(1000, clock=clock)
    progress.reused(400)
    with caplog.at_level(logging.INFO, "include.keywords"):
        for clock.now in range(1, 46):
            progress.embedded(10)
    assert caplog.messages == [
        "550 of 1000 rows have vectors, 10.0 a second, about 0:00:45 left",
        "700 of 1000 rows have vectors, 10.0 a second, about 0:00:30 left",
        "850 of 1000 rows have vectors, 10.0 a second, about 0:00:15 left",
    ]


def test_the_end_is_told_by_others(caplog: pytest.LogCaptureFixture) -> None:
    clock = Clock()
    progress = Progress(10, clock=clock)
    clock.now = 60
    with caplog.at_level(logging.INFO, "include.keywords"):
        progress.embedded(10)
    assert caplog.messages == []
