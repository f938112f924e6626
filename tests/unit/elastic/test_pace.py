"""Batches shrink and grow; waits end."""

from __future__ import annotations

import threading
import time

import pytest

from include.elastic.pace import BatchLimits, Pace, Patience
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
    patience = Patience(0, threading.Event())
    time.sleep(0.001)
    with pytest.raises(ServiceUnavailable, match="no answer. Gave up after 0 s without progress"):
        patience.wait("no answer")


def test_progress_gives_new_patience(monkeypatch: pytest.MonkeyPatch) -> None:
    now = [0.0]
    monkeypatch.setattr("include.elastic.pace.time.monotonic", lambda: now[0])
    monkeypatch.setattr("include.elastic.pace.FIRST_WAIT_SECONDS", 0.0)
    patience = Patience(10, threading.Event())
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
        Patience(1000, stop).wait("refused")
