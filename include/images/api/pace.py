"""How often one caller may ask: a bucket of tokens each, filled evenly."""

from __future__ import annotations

import threading
import time
from collections import OrderedDict
from collections.abc import Callable

MOST_CALLERS = 10_000  # remembered; the one that asked longest ago is forgotten first
BURST_SECONDS = 10.0  # worth of requests may come at once


class Pace:
    """Safe from several threads; of one process."""

    def __init__(self, per_minute: int, *, clock: Callable[[], float] = time.monotonic) -> None:
        self._rate = per_minute / 60
        self._burst = max(1.0, self._rate * BURST_SECONDS)
        self._clock = clock
        self._lock = threading.Lock()
        self._buckets: OrderedDict[str, tuple[float, float]] = OrderedDict()  # tokens, and when that was

    def wait_for(self, caller: str, cost: float = 1) -> float:
        """Take ``cost`` tokens where there is one at least, and return 0; else the seconds after which there is.

        So what costs more than a burst passes, too, and its caller waits the longer afterwards.
        """
        with self._lock:
            now = self._clock()
            tokens, then = self._buckets.pop(caller, (self._burst, now))
            tokens = min(self._burst, tokens + (now - then) * self._rate)
            granted = tokens >= 1
            self._buckets[caller] = (tokens - cost * granted, now)
            while len(self._buckets) > MOST_CALLERS:
                self._buckets.popitem(last=False)
        return 0.0 if granted else (1 - tokens) / self._rate
