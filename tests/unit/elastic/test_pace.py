"""Batches shrink and grow; waits end."""

from __future__ import annotations

import threading
import time

import pytest

from include.elastic.pace import BatchLimits, Outage, Pace, Patience
from include.errors import ServiceUnavailable


def test_batches_halve_when_refused_and_grow_back_to_full() -> None:
    pace = Pace(BatchLimits(1000, 100_000))
    pace.shrink()
    pace.shrink()
    assert pace.limits() == BatchLimits(250, 25_000)
    for _ in range(20):
        pace.grow()
    assert pace.limits() == BatchLimits(1000, 100_000)


def test_a_batch_never_shrinks_to_nothing() -> None:
    pace = Pace(BatchLimits(1000, 100_000))
    for _ in range(100):
        pace.shrink()
    assert pace.limits() == BatchLimits(1, 97)


def test_patience_ends_with_the_cause_in_the_message() -> None:
    patience = Patience(0, threading.Event(), Outage())
    time.sleep(0.001)
    with pytest.raises(ServiceUnavailable, match="no answer. Gave up after 0 s without progress"):
        patience.wait("no answer")


def test_progress_gives_new_patience(monkeypatch: pytest.MonkeyPatch) -> None:
    now = [0.0]
    monkeypatch.setattr("include.elastic.pace.time.monotonic", lambda: now[0])
    monkeypatch.setattr("include.elastic.pace.FIRST_WAIT_SECONDS", 0.0)
    patience = Patience(10, threading.Event(), Outage())
    now[0] = 9.0
    patience.wait("refused")
    patience.progressed()
    now[0] = 18.0
    patience.wait("refused")
    now[0] = 20.0
    with pytest.raises(ServiceUnavailable):
        patience.wait("refused")


def test_a_failure_elsewhere_ends_the_wait() -> None:
    stop = threading.Event()
    stop.set()
    with pytest.raises(ServiceUnavailable, match="Stopped, because something else failed"):
        Patience(1000, stop, Outage()).wait("refused")


@pytest.fixture
def now(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    """The time, to be set."""
    time_now = [100.0]
    monkeypatch.setattr("include.elastic.pace.time.monotonic", lambda: time_now[0])
    return time_now


def test_an_outage_is_told_once_when_it_begins_and_once_when_it_is_over(
    now: list[float], caplog: pytest.LogCaptureFixture
) -> None:
    outage = Outage()
    stopped = threading.Event()
    stopped.set()  # so that nothing waits in earnest
    for _ in range(31):
        for patience in [Patience(1000, stopped, outage) for _ in range(8)]:
            with pytest.raises(ServiceUnavailable):
                patience.wait("cannot be reached")
        now[0] += 1.0
    for _ in range(8):
        Patience(1000, stopped, outage).progressed()
    assert [record.message for record in caplog.records] == [
        "cannot be reached: trying again until it is over",
        "Elasticsearch is well again after 31 s",
    ]


def test_trouble_that_passes_at_once_is_not_told(now: list[float], caplog: pytest.LogCaptureFixture) -> None:
    outage = Outage()
    for _ in range(100):
        outage.goes_on("refused for now")
        now[0] += 1.0
        outage.over()
    assert caplog.records == []


def test_an_overloaded_server_is_told_once(caplog: pytest.LogCaptureFixture) -> None:
    pace = Pace(BatchLimits(1000, 100_000))
    with caplog.at_level("INFO", "include.elastic.pace"):
        for _ in range(10):
            pace.shrink()
            pace.grow()
    assert len(caplog.records) == 1
    assert "smaller ones are sent" in caplog.text
