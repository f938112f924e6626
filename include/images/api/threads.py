"""Threads of this API alone.

Inside Airflow all parts of the web server share one pool of threads. Callers who wait for a slow store in it would hold
up every page of Airflow, and those who start a rebuild would wait there for Airflow, which waits for a thread.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import ParamSpec, TypeVar

from anyio import CapacityLimiter, to_thread
from anyio.lowlevel import RunVar

AT_ONCE = 32  # in one process; the next one waits

Given = ParamSpec("Given")
Result = TypeVar("Result")

_limiter: RunVar[CapacityLimiter] = RunVar("threads of the image search")


async def in_thread(work: Callable[Given, Result], *args: Given.args, **kwargs: Given.kwargs) -> Result:
    """What ``work`` returns, which may wait for the network or compute."""
    limiter = _limiter.get(None)
    if limiter is None:
        limiter = CapacityLimiter(AT_ONCE)
        _limiter.set(limiter)
    return await to_thread.run_sync(partial(work, *args, **kwargs), limiter=limiter)
