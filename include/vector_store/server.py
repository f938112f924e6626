"""A Qdrant server: each generation is a collection, each alias a collection alias.

What a generation says of itself is kept in the collection's own metadata (:mod:`~include.vector_store.server_build`).
The server has no build locks: two builds of one generation at once must be kept apart by their caller, as the builds'
folders do.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Any, Self

import numpy as np
from qdrant_client import QdrantClient, models

from include.errors import ContractError, InputError
from include.vector_store import hnsw
from include.vector_store.checks import check_points, check_queries, check_top_k
from include.vector_store.neighbours import as_neighbours
from include.vector_store.protocol import CollectionInfo, Ids, Neighbours, Vectors
from include.vector_store.qdrant_connection import QdrantConnection
from include.vector_store.server_build import SEALED, create_collection, start_graph, wait_for_graph
from include.vector_store.server_generations import ServerGenerations

UPSERT_ROWS = 256  # 1 MB of vectors; 64–256 a request is the vendor's advice
STREAMS = 4
PAGE = 10_000
SEARCH_ROWS = 512  # queries in one request


class _Request(models.QueryRequest):
    """Spared the deep copy that qdrant-client makes of each request, vector and all: a third of a batch's time."""

    def __deepcopy__(self, memo: dict[int, Any] | None = None) -> Self:
        return self.model_copy()


class ServerStore:
    """:class:`~include.vector_store.protocol.KeywordStore` over qdrant-client; safe from several threads."""

    def __init__(self, connection: QdrantConnection, *, streams: int = STREAMS, exact: bool = False) -> None:
        self._connection, self._call = connection, connection.call
        self._client, self._url = connection.client, connection.url
        self._generations = ServerGenerations(connection)
        self._exact = exact  # has no graph
        self._pool = ThreadPoolExecutor(streams, thread_name_prefix="qdrant")
        self._dimensions: dict[str, int] = {}  # of the generations being built

    @classmethod
    def connect(cls, url: str, api_key: str | None = None) -> Self:
        """A store on the server at ``url``."""
        return cls(QdrantConnection.open(url, api_key))

    @classmethod
    def in_memory(cls) -> Self:
        """qdrant-client's own numpy store, for tests: exact, slow, and gone with this process."""
        # One stream: its arrays are not safe from concurrent upserts.
        return cls(QdrantConnection(QdrantClient(":memory:"), ":memory:"), streams=1, exact=True)

    def begin(self, generation: str, *, dimension: int, model: str, model_fingerprint: str) -> None:
        """See the protocol, but never Busy: the server has no locks."""
        facts = {"dimension": dimension, "model": model, "model_fingerprint": model_fingerprint}
        self._call(generation, create_collection, self._client, self._url, generation, facts)
        self._dimensions[generation] = dimension

    def upsert(self, generation: str, ids: Ids, vectors: Vectors, keywords: Sequence[str]) -> None:
        """See the protocol; fastest with blocks of 1,024 rows and more, sent 256 at a time, 4 at once."""
        array = check_points(generation, ids, vectors, keywords, self._dimension(generation))
        starts = range(0, len(ids), UPSERT_ROWS)
        for _ in self._pool.map(lambda start: self._upsert(generation, start, ids, array, keywords), starts):
            pass

    def _upsert(self, generation: str, start: int, ids: Ids, vectors: Vectors, keywords: Sequence[str]) -> None:
        rows = slice(start, start + UPSERT_ROWS)
        points = models.Batch(
            ids=[int(one) for one in ids[rows]],
            vectors=vectors[rows].tolist(),
            payloads=[{"keyword": keyword} for keyword in keywords[rows]],
        )
        self._call(generation, self._client.upsert, generation, points, wait=True)

    def seal(self, generation: str, *, expected: int) -> CollectionInfo:
        """See the protocol; waits until the server has built the graph.

        Raises:
            ServiceUnavailable: it took more than an hour.
        """
        dimension = self._dimension(generation)
        points = self._call(generation, self._client.count, generation, exact=True).count
        if points != expected:
            msg = f"{generation} holds {points} points, not the {expected} expected. Build it again."
            raise ContractError(msg)
        self._call(generation, start_graph, self._client, generation)
        graph = hnsw.needs_graph(points, dimension) and not self._exact
        indexed = wait_for_graph(self._connection, generation, points) if graph else 0
        sealed = {SEALED: points, "indexed": indexed}
        self._call(generation, self._client.update_collection, generation, metadata=sealed)
        del self._dimensions[generation]
        return self.info(generation)

    def promote(self, alias: str, generation: str) -> str | None:
        """See the protocol."""
        return self._generations.promote(alias, generation)

    def rollback(self, alias: str, to: str | None = None) -> str:
        """See the protocol."""
        return self._generations.rollback(alias, to)

    def resolve(self, alias: str) -> str | None:
        """See the protocol."""
        return self._generations.resolve(alias)

    def info(self, name: str) -> CollectionInfo:
        """See the protocol."""
        return self._generations.info(name)

    def generations(self, alias: str) -> list[str]:
        """See the protocol."""
        return self._generations.generations(alias)

    def prune(self, alias: str, *, keep: int, needed: Collection[str] = ()) -> list[str]:
        """See the protocol."""
        return self._generations.prune(alias, keep=keep, needed=needed)

    def drop(self, generation: str) -> None:
        """See the protocol."""
        self._generations.drop(generation)

    def search(self, name: str, queries: Vectors, top_k: int) -> Neighbours:
        """See the protocol; one request for up to 512 queries."""
        check_top_k(top_k)
        rows = check_queries(name, queries, np.shape(queries)[-1])  # the server knows the dimension, without a look-up
        params = self._params(top_k)
        requests: list[models.QueryRequest] = [
            _Request(query=row.tolist(), limit=top_k, params=params, with_payload=False) for row in rows
        ]
        found = [
            ([int(point.id) for point in response.points], [point.score for point in response.points])
            for start in range(0, len(requests), SEARCH_ROWS)
            for response in self._call(
                name, self._client.query_batch_points, name, requests[start : start + SEARCH_ROWS]
            )
        ]
        return as_neighbours(found, len(rows), top_k)

    def _params(self, top_k: int) -> models.SearchParams | None:
        if self._exact:
            return None
        quantization = models.QuantizationSearchParams(rescore=True, oversampling=hnsw.OVERSAMPLING)
        return models.SearchParams(hnsw_ef=max(hnsw.EF_SEARCH, top_k), quantization=quantization)

    def keywords(self, name: str) -> Iterator[tuple[Ids, list[str]]]:
        """See the protocol; pages stay with one generation, even when the alias moves."""
        generation = self._generations.generation_of(name)
        offset: Any = None
        while True:
            records, offset = self._call(
                generation, self._client.scroll, generation, limit=PAGE, offset=offset, with_payload=["keyword"]
            )
            if records:
                payloads = (record.payload or {} for record in records)
                yield np.array([record.id for record in records], np.int64), [one["keyword"] for one in payloads]
            if offset is None:
                return

    def keywords_of(self, name: str, ids: Sequence[int]) -> dict[int, str]:
        """See the protocol."""
        generation = self._generations.generation_of(name)
        return {
            int(record.id): (record.payload or {})["keyword"]
            for start in range(0, len(ids), PAGE)
            for record in self._call(
                generation, self._client.retrieve, generation, list(ids[start : start + PAGE]), with_payload=["keyword"]
            )
        }

    def close(self) -> None:
        """Close the connections."""
        self._pool.shutdown()
        self._client.close()

    def _dimension(self, generation: str) -> int:
        """The dimension of a generation that is being built.

        Raises:
            ContractError: it was not begun.
        """
        if generation not in self._dimensions:
            try:
                facts = self._generations.facts(generation)
            except InputError:
                facts = {}
            if "dimension" not in facts or SEALED in facts:
                msg = f"{generation} at {self._url} is not being built. Call begin() first."
                raise ContractError(msg)
            self._dimensions[generation] = facts["dimension"]
        return self._dimensions[generation]
