"""Several ways to search at once, their results merged: a bounded number of searches together, the others in turn."""

from __future__ import annotations

import logging
import math
import threading
from collections.abc import Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor, wait
from contextlib import contextmanager
from contextvars import copy_context

from include.elastic.connection import CONNECTIONS
from include.errors import InputError, ServiceUnavailable
from include.fulltext.deadline import ends_within, left
from include.fulltext.merge import FUSION, merged
from include.fulltext.query import MOST, checked_top_k
from include.fulltext.results import DocumentWithScore, Filters, Runner
from include.fulltext.search import softly

log = logging.getLogger(__name__)

SEARCHES = CONNECTIONS  # at once; more of them would only wait for a connection to Elasticsearch
WAITING = 0.5  # of a search's time, at most, for its turn: the rest is for the search itself
FUSED_DEPTH = 3  # results of each runner for each that is wanted
FUSED_LEAST = 30  # of them: else the best of few would be others than the best of ten


class HybridRunner:
    """Several runners at once, their results merged. Share it between threads; close it.

    ``seconds`` are told to all of them as one time that begins with the search; one of yours must end by itself.
    ``searches`` go on at once, each with a thread for every runner. A further one waits for its turn, half of its time
    at most, and the log says so; the runners have what is left.
    """

    def __init__(
        self,
        runners: Mapping[str, Runner],
        *,
        strategy: str = FUSION,
        weights: Mapping[str, float] | None = None,
        seconds: float = math.inf,
        searches: int = SEARCHES,
        faults: str = "strict",
    ) -> None:
        """Nothing is asked yet.

        Raises:
            InputError: there is no such strategy, or no search may go on.
        """
        merged({}, strategy)
        if searches < 1:
            msg = f"searches is {searches}: with less than 1 at once none is ever answered. Give 1 or more."
            raise InputError(msg)
        self._runners, self._strategy, self._weights = dict(runners), strategy, weights
        self._seconds, self._searches, self._faults = seconds, searches, faults
        self._turns = threading.BoundedSemaphore(searches)
        self._pool = ThreadPoolExecutor(searches * max(1, len(runners)), thread_name_prefix="hybrid")

    def search(self, query: str, top_k: int, filters: Filters | None = None) -> list[DocumentWithScore]:
        """The best ``top_k`` of what all find; each is asked for some more.

        Raises:
            InputError: the question cannot be used.
            ServiceUnavailable: too many searches are under way, and faults are ``strict``.
            EmbsearchError: what a runner raises, when faults are ``strict``.
        """
        depth = min(max(checked_top_k(top_k) * FUSED_DEPTH, FUSED_LEAST), MOST)

        def search() -> list[DocumentWithScore]:
            with self._turn():
                return self._merged(query, depth, filters)[:top_k]

        with ends_within(self._seconds):
            return softly(self._faults, "hybrid search", search)

    def close(self) -> None:
        """End its threads."""
        self._pool.shutdown()

    def _merged(self, query: str, depth: int, filters: Filters | None) -> list[DocumentWithScore]:
        asked = {
            name: self._pool.submit(copy_context().run, one.search, query, depth, filters)
            for name, one in self._runners.items()
        }
        wait(asked.values())  # also when one has failed: the next search finds all threads of this one free
        results = {name: future.result() for name, future in asked.items()}
        return merged(results, self._strategy, weights=self._weights)

    @contextmanager
    def _turn(self) -> Iterator[None]:
        """One of the searches that go on at once."""
        if not self._turns.acquire(blocking=False):
            seconds = min(left() * WAITING, threading.TIMEOUT_MAX)
            log.warning(
                "A hybrid search waits for its turn behind the %d that go on at once, and so has less time itself",
                self._searches,
            )
            if not self._turns.acquire(timeout=seconds):
                msg = (
                    f"The hybrid search was not begun: in {seconds:.2g} s it had no turn behind the {self._searches} "
                    "that go on at once. Search again, with fewer at the same time, or allow more time by "
                    "EMBSEARCH_FULLTEXT_TIMEOUT_SECONDS."
                )
                raise ServiceUnavailable(msg)
        try:
            yield
        finally:
            self._turns.release()
