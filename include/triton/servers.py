"""Several servers of the same models: which one is asked, how many requests are under way, what is tried again."""

from __future__ import annotations

import asyncio
import itertools
import logging
import time
from collections import Counter
from collections.abc import Awaitable, Callable, Sequence
from typing import Any, TypeVar

from tenacity import AsyncRetrying, RetryCallState, retry_if_exception, stop_after_delay, wait_random_exponential
from tritonclient.http import aio

from include.errors import EmbsearchError, ServiceUnavailable, TransientError
from include.triton.faults import NotLoaded, OtherModel, TooSlow, translate

log = logging.getLogger(__name__)

Result = TypeVar("Result")
Question = Callable[[Any, str], Awaitable[Result]]  # connection, URL

FIRST_WAIT, LONGEST_WAIT = 0.1, 5.0  # seconds; each wait is random between 0 and a bound that doubles
CONNECT_SECONDS = 10.0
REST_SECONDS = 5.0  # a server that failed is asked last for so long: having nothing to do, it would be asked first


class Servers:
    """Used from one event loop. At most ``concurrency`` requests are under way; others wait for their turn."""

    def __init__(self, urls: Sequence[str], *, concurrency: int, timeout_seconds: float) -> None:
        self.urls = tuple(urls)
        self._permits = asyncio.Semaphore(concurrency)
        self._timeout_seconds = timeout_seconds
        self._connections: dict[str, Any] = {}
        self._in_flight: Counter[str] = Counter()
        self._rests_until: dict[str, float] = {}
        self._turns = itertools.count()

    async def ask(self, question: Question[Result], *, patience: float) -> Result:
        """The first good answer. A passing fault is tried on the next server at once, then again after a random wait.

        A request that was not answered in its own time is not sent again: it is worked on, or waits behind others.

        Raises:
            ServiceUnavailable: no server answered within ``patience`` seconds.
            TooSlow: a server did not answer a request in time.
            NotLoaded: every server lacks the model.
            OtherModel: no server has the version that is asked for.
        """
        attempts = AsyncRetrying(
            wait=wait_random_exponential(multiplier=FIRST_WAIT, max=LONGEST_WAIT),
            stop=stop_after_delay(patience),
            retry=retry_if_exception(_may_pass),
            before_sleep=_tell_once(patience),
            reraise=True,
        )
        result: Result = await attempts(self._ask_twice, question)
        return result

    async def asked_once(self, question: Question[Result]) -> list[Result | None]:
        """Each server's answer, without waiting for one that does not answer: that one's is ``None``."""

        async def answer(url: str) -> Result | None:
            try:
                return await self._ask_one(url, question)
            except (ServiceUnavailable, NotLoaded):
                return None

        return await asyncio.gather(*map(answer, self.urls))

    async def close(self) -> None:
        """Close all connections."""
        for connection in self._connections.values():
            await connection.close()
        self._connections.clear()

    async def _ask_twice(self, question: Question[Result]) -> Result:
        """A version may move from name to name while it is looked for: then a second look finds it."""
        try:
            return await self._ask_each(question)
        except OtherModel:
            return await self._ask_each(question)

    async def _ask_each(self, question: Question[Result]) -> Result:
        failures: list[Exception] = []
        async with self._permits:
            for url in self._order():
                try:
                    return await self._ask_one(url, question)
                except TooSlow:
                    raise
                except (ServiceUnavailable, OtherModel, NotLoaded) as error:
                    failures.append(error)
        # What may pass counts first: the server that is away may have what the others lack.
        kinds = (ServiceUnavailable, OtherModel, NotLoaded)
        raise min(failures, key=lambda error: next(i for i, kind in enumerate(kinds) if isinstance(error, kind)))

    def _order(self) -> list[str]:
        """Least busy first; equals in turn; those that failed lately last."""
        now, turn = time.monotonic(), next(self._turns)
        rotated = [self.urls[(turn + step) % len(self.urls)] for step in range(len(self.urls))]
        return sorted(rotated, key=lambda url: (self._rests_until.get(url, 0.0) > now, self._in_flight[url]))

    async def _ask_one(self, url: str, question: Question[Result]) -> Result:
        self._in_flight[url] += 1
        try:
            return await question(await self._connection(url), url)
        except ServiceUnavailable:
            self._rests_until[url] = time.monotonic() + REST_SECONDS
            raise
        except EmbsearchError:
            raise
        except Exception as error:
            fault = translate(error, url=url)
            if isinstance(fault, ServiceUnavailable):
                self._rests_until[url] = time.monotonic() + REST_SECONDS
            raise fault from error
        finally:
            self._in_flight[url] -= 1

    async def _connection(self, url: str) -> Any:
        """A server that is new, or that failed, must first say that it lives: one that is away is seen soon."""
        if url not in self._connections:
            scheme, _, address = url.partition("://")
            self._connections[url] = aio.InferenceServerClient(
                address, ssl=scheme == "https", conn_timeout=self._timeout_seconds
            )
            self._rests_until[url] = 0.0
        if url in self._rests_until:
            try:
                async with asyncio.timeout(CONNECT_SECONDS):
                    live = await self._connections[url].is_server_live()
            except TimeoutError as error:
                msg = f"Triton at {url} does not answer within {CONNECT_SECONDS:.0f} s. Is it up, and kserve_url right?"
                raise ServiceUnavailable(msg) from error
            if not live:
                msg = f"Triton at {url} is starting or stopping."
                raise ServiceUnavailable(msg)
            self._rests_until.pop(url, None)
        return self._connections[url]


def _may_pass(error: BaseException) -> bool:
    return isinstance(error, TransientError) and not isinstance(error, TooSlow)


def _tell_once(patience: float) -> Callable[[RetryCallState], None]:
    """Say at the first failure, and not at every one, that and how long is waited."""

    def tell(state: RetryCallState) -> None:
        if state.attempt_number == 1 and state.outcome is not None:
            log.warning("%s Trying again for %.0f s.", state.outcome.exception(), patience)

    return tell
