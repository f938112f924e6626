"""How far the linking is and how fast: one line every few seconds, the same in a terminal and in a task log."""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass

log = logging.getLogger(__name__)

STAGES = ("embed", "search", "bulk")


@dataclass(frozen=True)
class BatchTimes:
    """Rows of one batch and the wall seconds of its three stages."""

    rows: int
    embed: float
    search: float
    bulk: float


class Progress:
    """Adds up batches from several threads and reports at most once an interval; ``total`` may be unknown."""

    def __init__(
        self, total: int | None, *, done: int = 0, seconds: float = 5.0, report: Callable[[str], None] = log.info
    ) -> None:
        self._total, self._done, self._before = total, done, done
        self._seconds, self._report = seconds, report
        self._lock = threading.Lock()
        self._began = self._last_time = time.monotonic()
        self._last_done = done
        self._batches = 0
        self._stage_seconds = dict.fromkeys(STAGES, 0.0)

    def add(self, batch: BatchTimes) -> None:
        """Count a finished batch."""
        with self._lock:
            self._done += batch.rows
            self._batches += 1
            for stage in STAGES:
                self._stage_seconds[stage] += getattr(batch, stage)
            if self._done == self._total or time.monotonic() - self._last_time >= self._seconds:
                self._report(self._line())

    def _line(self) -> str:
        now = time.monotonic()
        average = (self._done - self._before) / max(now - self._began, 1e-9)
        interval = (self._done - self._last_done) / max(now - self._last_time, 1e-9)
        self._last_time, self._last_done = now, self._done
        stages = " | ".join(f"{s} {self._stage_seconds[s] / self._batches * 1000:.0f} ms" for s in STAGES)
        share = "" if self._total is None else f"/{self._total:,} ({self._done / self._total:.1%})"
        return f"{self._done:,}{share} | {stages} a batch | {average:,.0f} products/s, now {interval:,.0f}"
