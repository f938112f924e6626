"""How often one caller may ask."""

from __future__ import annotations

from include.images.api import pace as paces
from include.images.api.pace import Pace


class Clock:
    now = 0.0

    def __call__(self) -> float:
        return self.now


def test_a_burst_passes_then_one_after_the_other() -> None:
    clock = Clock()
    pace = Pace(60, clock=clock)
    assert [pace.wait_for("a") for _ in range(10)] == [0.0] * 10
    assert pace.wait_for("a") == 1.0
    clock.now = 0.5
    assert pace.wait_for("a") == 0.5
    clock.now = 1.0
    assert pace.wait_for("a") == 0.0
    assert pace.wait_for("a") > 0


def test_what_costs_much_passes_and_is_waited_for_afterwards() -> None:
    clock = Clock()
    pace = Pace(60, clock=clock)  # ten at once
    assert pace.wait_for("a", 49) == 0
    assert pace.wait_for("a") == 40.0
    clock.now = 40.0
    assert pace.wait_for("a") == 0


def test_nobody_pays_for_another() -> None:
    pace = Pace(1, clock=Clock())
    assert pace.wait_for("a") == 0
    assert pace.wait_for("a") > 0
    assert pace.wait_for("b") == 0


def test_waiting_does_not_save_up_more_than_a_burst() -> None:
    clock = Clock()
    pace = Pace(60, clock=clock)
    clock.now = 10_000.0
    assert sum(pace.wait_for("a") == 0 for _ in range(100)) == 10


def test_only_so_many_callers_are_remembered(monkeypatch) -> None:  # type: ignore[no-untyped-def]
    monkeypatch.setattr(paces, "MOST_CALLERS", 3)
    pace = Pace(1, clock=Clock())
    for caller in "abcde":
        pace.wait_for(caller)
    assert len(pace._buckets) == 3
    assert pace.wait_for("e") > 0
