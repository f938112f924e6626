"""Nearest keywords of texts, from the served collection."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from include.catalog.models import get_model
from include.keywords.parameters import SearchParameters
from include.settings import Settings
from include.triton.client import TritonClient
from include.triton.embedder import Embedder
from include.vector_store.collection import served_collection
from include.vector_store.open import store_of
from include.vector_store.protocol import NO_ID

PATIENCE_SECONDS = 15.0  # with a server that does not answer: somebody waits, who can ask again


@dataclass(frozen=True)
class Hit:
    """One keyword near a query."""

    keyword_id: int
    keyword: str
    score: float  # cosine


def search_keywords(parameters: SearchParameters, queries: Sequence[str], settings: Settings) -> list[list[Hit]]:
    """For each query its nearest keywords, best first.

    Raises:
        InputError: there is no such model or collection.
        ContractError: the model that made the collection's vectors is not served.
    """
    store = store_of(settings, parameters.qdrant_url)
    try:
        with TritonClient(parameters.kserve_url, deadline_seconds=PATIENCE_SECONDS) as client:
            collection = served_collection(store, parameters.collection)
            embedder = Embedder.of_collection(client, get_model(parameters.model), collection)
            vectors = embedder.embed(list(queries), "query")
        found = store.search(collection.generation, vectors, parameters.top_k)
        ids = [int(one) for one in np.unique(found.ids) if one != NO_ID]
        texts = store.keywords_of(collection.generation, ids)
    finally:
        store.close()
    return [
        [Hit(int(i), texts[int(i)], float(score)) for i, score in zip(ids, scores, strict=True) if i != NO_ID]
        for ids, scores in zip(found.ids, found.scores, strict=True)
    ]
