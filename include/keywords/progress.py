"""How far the embedding of many rows is: a line in the log every few seconds."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable
from datetime import timedelta

log = logging.getLogger(__name__)

EVERY_SECONDS = 15.0


class Progress:
    """Counts towards ``rows``; safe to tell from one thread at a time."""

    def __init__(self, rows: int, *, clock: Callable[[], float] = time.monotonic) -> None:
        self._rows, self._clock = rows, clock
        self._done = self._embedded = 0
        self._began = self._told = clock()

    def reused(self, rows: int) -> None:
        """So many are done without being embedded; they say nothing of the speed."""
        self._done += rows

    def embedded(self, rows: int) -> None:
        """So many more have their vectors."""
        self._done += rows
        self._embedded += rows
        now = self._clock()
        if now - self._told < EVERY_SECONDS or self._done >= self._rows:
            return
        self._told = now
        rate = self._embedded / (now - self._began)
        remaining = timedelta(seconds=round((self._rows - self._done) / rate))
        told = (self._done, self._rows, rate, remaining)
        log.info("%d of %d rows have vectors, %.1f a second, about %s left", *told)
