"""An event loop on a thread of its own, for callers with and without one; how coroutines end together, or in time."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import AsyncIterator, Awaitable, Callable, Coroutine, Sequence
from concurrent.futures import Future
from contextlib import asynccontextmanager
from typing import Any, TypeVar

from include.errors import ServiceUnavailable

Result = TypeVar("Result")


class LoopThread:
    """Runs coroutines for any thread and any other event loop. A caller that is interrupted cancels what it asked."""

    def __init__(self, name: str) -> None:
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, name=name, daemon=True)
        self._thread.start()

    def run(self, work: Coroutine[Any, Any, Result]) -> Result:
        """The result of ``work``; blocks."""
        future = self._submit(work)
        try:
            return future.result()
        except BaseException:
            future.cancel()
            raise

    async def arun(self, work: Coroutine[Any, Any, Result]) -> Result:
        """The result of ``work``; the caller's own event loop goes on meanwhile."""
        return await asyncio.wrap_future(self._submit(work))

    def close(self, *, last: Callable[[], Awaitable[None]]) -> None:
        """Wait for what is under way, do ``last``, then end the thread; closing again does nothing."""
        if self._loop.is_closed():
            return

        async def rest() -> None:
            others = asyncio.all_tasks() - {asyncio.current_task()}
            await asyncio.gather(*others, return_exceptions=True)
            await last()

        self.run(rest())
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join()
        self._loop.close()

    def _submit(self, work: Coroutine[Any, Any, Result]) -> Future[Result]:
        if self._loop.is_closed():
            work.close()
            msg = "This client is closed."
            raise RuntimeError(msg)
        return asyncio.run_coroutine_threadsafe(work, self._loop)


async def together(works: Sequence[Coroutine[Any, Any, None]]) -> None:
    """Run all; when one fails, the others are cancelled and its error is raised."""
    tasks = [asyncio.ensure_future(work) for work in works]
    try:
        await asyncio.gather(*tasks)
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)


@asynccontextmanager
async def deadline(seconds: float | None, purpose: str) -> AsyncIterator[None]:
    """End what is inside after so many seconds; ``None`` is without an end.

    Raises:
        ServiceUnavailable: the time has passed.
    """
    try:
        async with asyncio.timeout(seconds):
            yield
    except TimeoutError as error:
        msg = f"{purpose}: not done within {seconds} s. Allow more time, or see whether Triton is overloaded."
        raise ServiceUnavailable(msg) from error
