"""How fast to send: batches shrink when the server is overloaded and grow again; waits are random and grow."""

from __future__ import annotations

import logging
import random
import threading
import time
from dataclasses import dataclass

from include.errors import ServiceUnavailable

log = logging.getLogger(__name__)

FIRST_WAIT_SECONDS = 0.2
LONGEST_WAIT_SECONDS = 10.0
SMALLEST_SHARE = 1 / 1024
GROWTH = 1.25  # after each request that went well


@dataclass(frozen=True)
class BatchLimits:
    """When a batch is full, whichever comes first."""

    documents: int
    bytes: int


class Pace:
    """The batch size that the server takes at present, shared by threads."""

    def __init__(self, full: BatchLimits) -> None:
        self._full = full
        self._share = 1.0
        self._lock = threading.Lock()

    def limits(self) -> BatchLimits:
        """How large the next batch may be."""
        with self._lock:
            share = self._share
        return BatchLimits(max(1, int(self._full.documents * share)), max(1, int(self._full.bytes * share)))

    def shrink(self) -> None:
        """Halve batches: the server refused one as too much (HTTP 413 or 429)."""
        with self._lock:
            self._share = max(self._share / 2, SMALLEST_SHARE)

    def grow(self) -> None:
        """Let batches grow a little: a request went well."""
        with self._lock:
            self._share = min(self._share * GROWTH, 1.0)


class Patience:
    """Waits between tries with exponential back-off and full jitter, until nothing went well for ``seconds``.

    Source: M. Brooker, "Exponential Backoff And Jitter", AWS Architecture Blog, 2015.
    """

    def __init__(self, seconds: float, stop: threading.Event) -> None:
        self._seconds, self._stop = seconds, stop
        self.progressed()

    def progressed(self) -> None:
        """Something went well: begin anew."""
        self._deadline = time.monotonic() + self._seconds
        self._waits = 0

    def wait(self, why: str) -> None:
        """Sleep before the next try.

        Raises:
            ServiceUnavailable: the time is over, or ``stop`` was set.
        """
        if time.monotonic() > self._deadline:
            msg = (
                f"{why}. Gave up after {self._seconds:.0f} s without progress; what was written stays. "
                "Run this again when Elasticsearch is well."
            )
            raise ServiceUnavailable(msg)
        longest = min(LONGEST_WAIT_SECONDS, FIRST_WAIT_SECONDS * 2**self._waits)
        if self._waits == 0 or longest == LONGEST_WAIT_SECONDS:
            log.warning("%s: trying again", why)
        self._waits += 1
        if self._stop.wait(random.random() * longest):  # noqa: S311 — jitter
            msg = f"{why}. Stopped, because something else failed."
            raise ServiceUnavailable(msg)
