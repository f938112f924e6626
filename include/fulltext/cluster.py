"""The cluster as searches see it: which index a collection's name stands for, and requests that end in time."""

from __future__ import annotations

import logging
import random
import threading
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Any, TypeVar

from elasticsearch import ApiError, Elasticsearch

from include.elastic.connection import EsConnection, connect
from include.elastic.errors import translated
from include.elastic.index_generations import IndexGenerations
from include.errors import InputError, ServiceUnavailable, TransientError
from include.fulltext.analysis import Analysis, analysis_of

log = logging.getLogger(__name__)

KNOWN_SECONDS = 5.0  # after which a served generation is looked up again
LEAST_SECONDS = 0.05
LONGEST_WAIT = 1.0  # seconds between two attempts

T = TypeVar("T")


@dataclass(frozen=True)
class Served:
    """What a collection's name stands for."""

    collection: str
    generation: str
    analysis: Analysis


class SearchCluster:
    """One client, made at the first request and used again by all threads.

    What :meth:`within` runs may ask until its time is over.
    """

    def __init__(self, connection: EsConnection, *, seconds: float, retries: int) -> None:
        self._connection, self._seconds, self._retries = connection, seconds, retries
        self._client: Elasticsearch | None = None
        self._known: dict[str, tuple[float, Served]] = {}
        self._lock = threading.Lock()

    def within(self, work: Callable[[Elasticsearch], T]) -> T:
        """``work`` with a client that waits as long as time is left; again a little later, after a passing failure.

        Raises:
            TransientError: it failed too often, or there was no time left.
            FatalError: it failed for good.
        """
        end = time.monotonic() + self._seconds
        tried = 0
        while True:
            left = max(end - time.monotonic(), LEAST_SECONDS)
            try:
                return work(self._connected(left).options(request_timeout=left))
            except TransientError as error:
                wait = random.random() * min(LONGEST_WAIT, 0.1 * 2**tried)  # noqa: S311 — no secret
                if tried >= self._retries or time.monotonic() + wait >= end:
                    raise
                log.info("%s Tried again.", error)
            tried += 1
            time.sleep(wait)

    def served(self, client: Elasticsearch, collection: str) -> Served:
        """What is served; known for a few seconds, so that a search needs one request.

        Raises:
            InputError: nothing is.
            ContractError: it holds no documents.
        """
        read, known = self._known.get(collection, (0.0, None))
        if known is not None and time.monotonic() - read < KNOWN_SECONDS:
            return known
        generations = IndexGenerations(client, collection)
        generation = generations.resolve()
        if generation is None:
            msg = (
                f"No collection {collection!r} of documents is served. Index documents first: embsearch fulltext "
                "index, or DAG document_fulltext_index."
            )
            raise InputError(msg)
        known = Served(collection, generation, analysis_of(generations, generation))
        self._known[collection] = (time.monotonic(), known)
        return known

    def ask(self, client: Elasticsearch, questions: Sequence[tuple[Served, dict[str, Any]]]) -> list[Any]:
        """The answers to the bodies of searches, in one request for all.

        Raises:
            ServiceUnavailable: there is no whole answer now, or a generation is served no more.
            FatalError: a search is refused.
        """
        if not questions:
            return []
        lines: list[dict[str, Any]] = []
        for one, body in questions:
            # Part of an answer would look like a whole one.
            lines += [{"index": one.generation, "allow_partial_search_results": False}, body]
        with translated(client, f"search {', '.join(one.collection for one, _ in questions)}"):
            answer = client.msearch(searches=lines)
            for (one, _), part in zip(questions, answer["responses"], strict=True):
                if part["status"] == 404:
                    self._known.pop(one.collection, None)
                    msg = f"{one.generation} is gone: {one.collection} serves another generation, or none, by now."
                    raise ServiceUnavailable(msg)
                if "error" in part:
                    raise ApiError(str(part["error"].get("type")), replace(answer.meta, status=part["status"]), part)
        return list(answer["responses"])

    def close(self) -> None:
        """Close the connections."""
        if self._client is not None:
            self._client.close()

    def _connected(self, seconds: float) -> Elasticsearch:
        with self._lock:
            if self._client is None:
                self._client = connect(self._connection, seconds=seconds)
            return self._client
