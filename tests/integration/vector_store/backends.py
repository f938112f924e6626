"""The back ends that the contract holds for."""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

from include.bench.synthetic import clustered
from include.vector_store.protocol import KeywordStore

SERVER_VARIABLE = "EMBSEARCH_TEST_QDRANT_URL"
POINTS, DIMENSION = 400, 32
FACTS = {"model": "minilm", "model_fingerprint": "abc"}


@dataclass(frozen=True)
class Backend:
    """A store of its own for one test, with names that no other test uses."""

    kind: str
    url: str
    store: KeywordStore
    alias: str

    def generation(self, number: int) -> str:
        return f"{self.alias}__{number:04d}"

    def build(self, number: int, vectors: NDArray[np.float32] | None = None) -> str:
        """A sealed generation of ``vectors``, ids from 0."""
        generation, rows = self.begin(number, vectors)
        self.store.seal(generation, expected=len(rows))
        return generation

    def begin(self, number: int, vectors: NDArray[np.float32] | None = None) -> tuple[str, NDArray[np.float32]]:
        """A generation that is loaded but not sealed."""
        rows = clustered(POINTS, DIMENSION) if vectors is None else vectors
        generation = self.generation(number)
        self.store.begin(generation, dimension=rows.shape[1], **FACTS)
        self.store.upsert(generation, np.arange(len(rows)), rows, [f"keyword {i}" for i in range(len(rows))])
        return generation, rows


def backend_url(kind: str, folder: Path) -> str:
    if kind == "memory":
        return ":memory:"
    if kind != "server":
        return f"{kind}:{folder}"
    url = os.environ.get(SERVER_VARIABLE)
    if not url:
        pytest.skip(f"no Qdrant server given: set {SERVER_VARIABLE}=http://<host>:<port> to run this on one")
    return url


def delete_collections(url: str, alias: str) -> None:
    from qdrant_client import QdrantClient

    client = QdrantClient(url=url, check_compatibility=False)
    for collection in client.get_collections().collections:
        if collection.name.startswith(alias):
            client.delete_collection(collection.name)
    client.close()
