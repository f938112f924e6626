"""A generation on a Qdrant server while it is built: made without a graph, loaded, then indexed.

Its facts are the collection's own metadata, which needs Qdrant 1.16 or newer.
"""

from __future__ import annotations

import time
from typing import Any, cast

from qdrant_client import QdrantClient, models

from include.errors import ContractError, ServiceUnavailable
from include.vector_store import hnsw
from include.vector_store.qdrant_connection import QdrantConnection

BEGUN = "begun"  # the metadata's key that each generation has: when its build began, in seconds since 1970
SEALED = "points"  # the one that only a sealed generation has
LEFT = "rolled_back"  # true of a generation that a roll back left

POLL_SECONDS = 0.5
SETTLE_SECONDS = 3.0  # green for so long, with nothing more indexed: what is left is in segments under the threshold
GRAPH_SECONDS = 3600.0
FLOAT_BYTES = 4


def metadata(client: QdrantClient, collection: str) -> dict[str, Any]:
    """What a collection says of itself; empty for one that others made."""
    return dict(client.get_collection(collection).config.metadata or {})


def create_collection(client: QdrantClient, url: str, generation: str, facts: dict[str, Any]) -> None:
    """An empty collection for ``generation``; one that was not sealed makes room.

    Raises:
        ContractError: it is sealed already, or the server is too old.
    """
    if client.collection_exists(generation):
        if SEALED in metadata(client, generation):
            msg = f"{generation} at {url} is sealed already. Build under a new name; sealed ones never change."
            raise ContractError(msg)
        client.delete_collection(generation)
    client.create_collection(
        generation,
        vectors_config=models.VectorParams(size=facts["dimension"], distance=models.Distance.COSINE),
        hnsw_config=models.HnswConfigDiff(m=hnsw.M, ef_construct=hnsw.EF_CONSTRUCT),
        optimizers_config=models.OptimizersConfigDiff(indexing_threshold=0),  # no graph while loading
        quantization_config=models.ScalarQuantization(
            scalar=models.ScalarQuantizationConfig(type=models.ScalarType.INT8, quantile=hnsw.QUANTILE, always_ram=True)
        ),
        metadata={**facts, BEGUN: int(time.time())},
    )
    if BEGUN not in metadata(client, generation):
        client.delete_collection(generation)
        msg = f"Qdrant at {url} keeps no collection metadata. It needs to be version 1.16 or newer."
        raise ContractError(msg)


def start_graph(client: QdrantClient, generation: str) -> None:
    """Let the server index what is loaded."""
    threshold = models.OptimizersConfigDiff(indexing_threshold=hnsw.INDEXING_THRESHOLD_KB)
    client.update_collection(generation, optimizers_config=threshold)


def wait_for_graph(connection: QdrantConnection, generation: str, points: int) -> int:
    """Wait until nothing is left to be indexed; return how many points are in the graph.

    Raises:
        ServiceUnavailable: it took more than an hour.
    """
    deadline = time.monotonic() + GRAPH_SECONDS
    before, settled = -1, time.monotonic()
    while True:
        state = connection.call(generation, connection.client.get_collection, generation)
        indexed = state.indexed_vectors_count or 0
        green = state.status == models.CollectionStatus.GREEN
        now = time.monotonic()
        if not green or indexed != before:
            before, settled = indexed, now
        settled_for = now - settled
        if green and (
            indexed >= points or (settled_for >= SETTLE_SECONDS and not _needs_graph(state, points, indexed))
        ):
            return indexed
        if now > deadline:
            msg = (
                f"Qdrant at {connection.url} has indexed {indexed} of {points} points of {generation} in an hour. "
                "Look at the server's load and log, then run this again."
            )
            raise ServiceUnavailable(msg)
        time.sleep(POLL_SECONDS)


def _needs_graph(state: models.CollectionInfo, points: int, indexed: int) -> bool:
    """Whether the server has not begun, although so many vectors cannot all be in segments under the threshold."""
    vectors = cast(models.VectorParams, state.config.params.vectors)
    kilobytes = points * vectors.size * FLOAT_BYTES / 1024
    return indexed == 0 and kilobytes > hnsw.INDEXING_THRESHOLD_KB * state.segments_count
