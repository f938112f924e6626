"""When a search must have ended: one moment for all that it asks, in whatever thread."""

from __future__ import annotations

import math
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import Future
from contextlib import contextmanager
from contextvars import ContextVar, copy_context
from typing import TypeVar

from include.errors import ServiceUnavailable

T = TypeVar("T")

_END: ContextVar[float] = ContextVar("end of the search", default=math.inf)


@contextmanager
def ends_within(seconds: float) -> Iterator[None]:
    """What is inside has so many seconds, or what is left of the time around it when that is less."""
    token = _END.set(min(_END.get(), time.monotonic() + seconds))
    try:
        yield
    finally:
        _END.reset(token)


def left() -> float:
    """Seconds that are left, none when it is over; infinite where nobody has set an end."""
    return max(0.0, _END.get() - time.monotonic())


def in_time(what: str, work: Callable[[], T]) -> T:
    """What ``work`` returns, for as long as time is left; it may ask servers that know of no end.

    It goes on in a thread of its own when the time is over, and what it returns then is dropped.

    Raises:
        ServiceUnavailable: the time is over.
    """
    future: Future[T] = Future()
    context, seconds = copy_context(), left()

    def run() -> None:
        try:
            future.set_result(context.run(work))
        except BaseException as error:  # noqa: BLE001 — raised where it is waited for
            future.set_exception(error)

    threading.Thread(target=run, name=what, daemon=True).start()  # keeps no process from its end
    try:
        return future.result(None if math.isinf(seconds) else seconds)
    except TimeoutError as error:
        msg = (
            f"The {what} has no answer in time. An index build that embeds at the same time can be the cause: search "
            "again when it has ended. Else allow more by EMBSEARCH_FULLTEXT_TIMEOUT_SECONDS, or see its servers."
        )
        raise ServiceUnavailable(msg) from error
