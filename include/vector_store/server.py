"""A Qdrant server: each generation is a collection, each alias a collection alias.

What a generation says of itself is kept in the collection's own metadata (:mod:`~include.vector_store.server_build`).
The server has no build locks: two builds of one generation at once must be kept apart by their caller, as the builds'
folders do.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from typing import Any, Self

import numpy as np
from qdrant_client import QdrantClient, models

from include.errors import ContractError, InputError
from include.generations.names import SEPARATOR, alias_of
from include.generations.promotion import left_by, outdated, roll_back_target
from include.vector_store import hnsw
from include.vector_store.checks import check_points, check_queries, check_top_k
from include.vector_store.neighbours import as_neighbours
from include.vector_store.protocol import CollectionInfo, Ids, Neighbours, Vectors
from include.vector_store.qdrant_connection import QdrantConnection
from include.vector_store.server_build import (
    BEGUN,
    LEFT,
    SEALED,
    create_collection,
    metadata,
    start_graph,
    wait_for_graph,
)

log = logging.getLogger(__name__)

UPSERT_ROWS = 256  # 1 MB of vectors; 64–256 a request is the vendor's advice
STREAMS = 4
PAGE = 10_000
SEARCH_ROWS = 512  # queries in one request

ABANDONED_SECONDS = 24 * 3600  # a load takes minutes and its graph at most an hour: an older build is dead


class _Request(models.QueryRequest):
    """Spared the deep copy that qdrant-client makes of each request, vector and all: a third of a batch's time."""

    def __deepcopy__(self, memo: dict[int, Any] | None = None) -> Self:
        return self.model_copy()


class ServerStore:
    """:class:`~include.vector_store.protocol.KeywordStore` over qdrant-client; safe from several threads."""

    def __init__(self, connection: QdrantConnection, *, streams: int = STREAMS, exact: bool = False) -> None:
        self._connection, self._call = connection, connection.call
        self._client, self._url = connection.client, connection.url
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
        """See the protocol; one request moves the alias."""
        self._require_sealed(alias, generation)
        collections = self._call(alias, self._client.get_collections).collections
        if alias in {collection.name for collection in collections}:
            msg = (
                f"{alias!r} at {self._url} is a collection, so it cannot become the alias of {generation}. "
                "Delete that collection, or choose another name for this one."
            )
            raise InputError(msg)
        self._mark_left(generation, left=False)
        previous = self.resolve(alias)
        create = models.CreateAlias(collection_name=generation, alias_name=alias)
        changes: list[Any] = [models.CreateAliasOperation(create_alias=create)]
        if previous is not None:
            changes.insert(0, models.DeleteAliasOperation(delete_alias=models.DeleteAlias(alias_name=alias)))
        self._call(alias, self._client.update_collection_aliases, changes)
        return previous

    def rollback(self, alias: str, to: str | None = None) -> str:
        """See the protocol."""
        served, generations = self.resolve(alias), self._sealed(alias)
        left = [name for name, facts in generations.items() if facts.get(LEFT)]
        target = roll_back_target(alias, served, list(generations), to, left=left)
        for generation in left_by(served, target, list(generations)):
            self._mark_left(generation, left=True)
        self.promote(alias, target)
        return target

    def _mark_left(self, generation: str, *, left: bool) -> None:
        if bool(self._metadata(generation).get(LEFT)) != left:
            self._call(generation, self._client.update_collection, generation, metadata={LEFT: left})

    def resolve(self, alias: str) -> str | None:
        """See the protocol."""
        aliases = self._call(alias, self._client.get_aliases).aliases
        return next((entry.collection_name for entry in aliases if entry.alias_name == alias), None)

    def info(self, name: str) -> CollectionInfo:
        """See the protocol."""
        generation = self._generation_of(name)
        facts = self._metadata(generation)
        if SEALED not in facts:
            msg = f"{generation!r} at {self._url} is not a sealed generation of this project. Index keywords first."
            raise InputError(msg)
        for ours in (BEGUN, LEFT):
            facts.pop(ours, None)
        return CollectionInfo(generation=generation, **facts)

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
        generation = self._generation_of(name)
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
        generation = self._generation_of(name)
        return {
            int(record.id): (record.payload or {})["keyword"]
            for start in range(0, len(ids), PAGE)
            for record in self._call(
                generation, self._client.retrieve, generation, list(ids[start : start + PAGE]), with_payload=["keyword"]
            )
        }

    def generations(self, alias: str) -> list[str]:
        """See the protocol."""
        return list(self._sealed(alias))

    def prune(self, alias: str, *, keep: int) -> list[str]:
        """See the protocol; what builds left that began a day ago and were never sealed is removed too."""
        found = self._collections(alias)
        sealed = [name for name, facts in found.items() if SEALED in facts]
        left = [name for name in sealed if found[name].get(LEFT)]
        dropped = outdated(sealed, self.resolve(alias), keep, left=left)
        for generation in dropped:
            self._call(generation, self._client.delete_collection, generation)
        for name, facts in found.items():
            if SEALED not in facts and time.time() - facts[BEGUN] > ABANDONED_SECONDS:
                log.info("removing %s at %s, left by a build that died", name, self._url)
                self._call(name, self._client.delete_collection, name)
        return dropped

    def _sealed(self, alias: str) -> dict[str, dict[str, Any]]:
        return {name: facts for name, facts in self._collections(alias).items() if SEALED in facts}

    def _collections(self, alias: str) -> dict[str, dict[str, Any]]:
        """The metadata of this project's collections that were made for ``alias``, oldest first."""
        collections = self._call(alias, self._client.get_collections).collections
        found = {}
        for name in sorted(one.name for one in collections if alias_of(one.name) == alias != one.name):
            with suppress(InputError):  # dropped meanwhile
                found[name] = self._metadata(name)
        return {name: facts for name, facts in found.items() if BEGUN in facts}

    def drop(self, generation: str) -> None:
        """See the protocol."""
        if self.resolve(alias_of(generation)) != generation:
            self._call(generation, self._client.delete_collection, generation)

    def close(self) -> None:
        """Close the connections."""
        self._pool.shutdown()
        self._client.close()

    def _generation_of(self, name: str) -> str:
        return name if SEPARATOR in name else self.resolve(name) or name

    def _require_sealed(self, alias: str, generation: str) -> None:
        try:
            self.info(generation)
        except InputError as error:
            msg = f"{generation} at {self._url} is not sealed, so {alias} stays as it is. Finish its build first."
            raise ContractError(msg) from error

    def _dimension(self, generation: str) -> int:
        """The dimension of a generation that is being built.

        Raises:
            ContractError: it was not begun.
        """
        if generation not in self._dimensions:
            try:
                facts = self._metadata(generation)
            except InputError:
                facts = {}
            if "dimension" not in facts or SEALED in facts:
                msg = f"{generation} at {self._url} is not being built. Call begin() first."
                raise ContractError(msg)
            self._dimensions[generation] = facts["dimension"]
        return self._dimensions[generation]

    def _metadata(self, collection: str) -> dict[str, Any]:
        return self._call(collection, metadata, self._client, collection)
