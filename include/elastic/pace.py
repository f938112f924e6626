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
TOLD_AFTER_SECONDS = 2.0  # of trouble; shorter ones come and go on a busy server


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
        self._told = False
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
            if not self._told:
                self._told = True
                log.info("Elasticsearch refuses batches as too much for it: smaller ones are sent until it takes more")

    def grow(self) -> None:
        """Let batches grow a little: a request went well."""
        with self._lock:
            self._share = min(self._share * GROWTH, 1.0)


class Outage:
    """Tells of trouble in two lines, however many threads it hits and however often they try: its begin and its end."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._since: float | None = None
        self._told = False

    def goes_on(self, why: str) -> None:
        """A request failed that is going to be tried again."""
        with self._lock:
            now = time.monotonic()
            if self._since is None:
                self._since = now
            if not self._told and now - self._since >= TOLD_AFTER_SECONDS:
                self._told = True
                log.warning("%s: trying again until it is over", why)

    def over(self) -> None:
        """A request went well."""
        with self._lock:
            if self._told and self._since is not None:
                log.warning("Elasticsearch is well again after %.0f s", time.monotonic() - self._since)
            self._since, self._told = None, False


class Patience:
    """Waits between tries with exponential back-off and full jitter, until nothing went well for ``seconds``.

    Source: M. Brooker, "Exponential Backoff And Jitter", AWS Architecture Blog, 2015.
    """

    def __init__(self, seconds: float, stop: threading.Event, outage: Outage) -> None:
        self._seconds, self._stop, self._outage = seconds, stop, outage
        self._begin()

    def progressed(self) -> None:
        """Something went well: begin anew."""
        self._outage.over()
        self._begin()

    def _begin(self) -> None:
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
        self._outage.goes_on(why)
        longest = min(LONGEST_WAIT_SECONDS, FIRST_WAIT_SECONDS * 2**self._waits)
        self._waits += 1
        if self._stop.wait(random.random() * longest):  # noqa: S311 — jitter
            msg = f"{why}. Stopped, because something else failed."
            raise ServiceUnavailable(msg)
