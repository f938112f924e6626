"""The cluster as searches see it: which index a collection's name stands for, and requests that end in time."""

from __future__ import annotations

import logging
import random
import threading
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Any, TypeVar

from elastic_transport import ConnectionTimeout, HttpHeaders, Urllib3HttpNode
from elasticsearch import ApiError, Elasticsearch

from include.elastic.connection import EsConnection, connect
from include.elastic.errors import translated
from include.elastic.index_generations import IndexGenerations
from include.errors import InputError, ServiceUnavailable, TransientError
from include.fulltext.analysis import Analysis, analysis_of
from include.fulltext.deadline import ends_within, left

log = logging.getLogger(__name__)

KNOWN_SECONDS = 5.0  # after which a served generation is looked up again
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

    All that :meth:`within` runs, its tries together, has ``seconds``, or what is left to the search that it is part of.
    """

    def __init__(self, connection: EsConnection, *, seconds: float, retries: int) -> None:
        self._connection, self._seconds, self._retries = connection, seconds, retries
        self._client: Elasticsearch | None = None
        self._known: dict[str, tuple[float, Served]] = {}
        self._lock = threading.Lock()

    def within(self, work: Callable[[Elasticsearch], T]) -> T:
        """``work`` with a client each of whose requests has what is left; once more a little later, when it may help.

        Raises:
            TransientError: it failed too often, or there was no time left.
            FatalError: it failed for good.
        """
        tried = 0
        with ends_within(self._seconds):
            while True:
                try:
                    return work(self._connected())
                except TransientError as error:
                    wait = random.random() * min(LONGEST_WAIT, 0.1 * 2**tried)  # noqa: S311 — no secret
                    if tried >= self._retries or wait >= left():
                        raise
                    log.debug("%s Tried again.", error)
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

    def _connected(self) -> Elasticsearch:
        if self._client is not None:
            return self._client
        if not self._lock.acquire(timeout=left()):  # another thread tries to connect
            hosts = ", ".join(self._connection.hosts)
            msg = f"Elasticsearch at {hosts} does not answer in time (connect). Start it (`make up`)."
            raise ServiceUnavailable(msg)
        try:
            if self._client is None:
                self._client = connect(self._connection, seconds=self._seconds, node_class=_PunctualNode)
            return self._client
        finally:
            self._lock.release()


class _PunctualNode(Urllib3HttpNode):
    """Waits for an answer no longer than time is left to the search."""

    def perform_request(
        self,
        method: str,
        target: str,
        body: bytes | None = None,
        headers: HttpHeaders | None = None,
        request_timeout: Any = None,
    ) -> Any:
        if not (seconds := left()):
            raise ConnectionTimeout("no time is left")
        bound = min(seconds, request_timeout) if isinstance(request_timeout, int | float) else seconds
        return super().perform_request(method, target, body, headers, bound)
