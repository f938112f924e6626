"""Threads of this API alone, apart by what they wait for.

Inside Airflow all parts of the web server share one pool of threads. Callers who wait for a slow store in it would hold
up every page of Airflow, and those who start a rebuild would wait there for Airflow, which waits for a thread. Likewise
here: who waits for a database or a store that hangs holds up nobody who needs neither.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import ParamSpec, TypeVar

from anyio import CapacityLimiter, to_thread
from anyio.lowlevel import RunVar

Given = ParamSpec("Given")
Result = TypeVar("Result")


class Threads:
    """So many at once, in one process; the next one waits."""

    def __init__(self, at_once: int) -> None:
        self.at_once = at_once
        self._limiter: RunVar[CapacityLimiter] = RunVar(f"threads of the image search, {id(self)}")

    async def run(self, work: Callable[Given, Result], *args: Given.args, **kwargs: Given.kwargs) -> Result:
        """What ``work`` returns, which may wait for the network or compute."""
        limiter = self._limiter.get(None)
        if limiter is None:
            limiter = CapacityLimiter(self.at_once)
            self._limiter.set(limiter)
        return await to_thread.run_sync(partial(work, *args, **kwargs), limiter=limiter)


SEARCHES = Threads(32)  # which compute, and wait for nothing
DRAWINGS = Threads(8)  # of result images, which wait for the model server
STORES = Threads(32)
RECORDS = Threads(8)  # of the database and of Airflow
LOOKS = Threads(8)  # at indexes, which may just be opened
