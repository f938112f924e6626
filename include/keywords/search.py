"""Nearest keywords of texts, from the served collection."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from include.catalog.models import get_model
from include.keywords.parameters import SearchParameters
from include.settings import Settings
from include.triton.client import TritonClient
from include.triton.embedder import Embedder
from include.vector_store.collection import keyword_table, served_collection
from include.vector_store.open import store_of
from include.vector_store.protocol import NO_ID


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
        ContractError: the served model is not the one that made the collection's vectors.
    """
    store = store_of(settings, parameters.qdrant_url)
    try:
        with TritonClient(parameters.kserve_url) as client:
            embedder = Embedder(client, get_model(parameters.model))
            collection = served_collection(
                store, parameters.collection, model=parameters.model, model_fingerprint=embedder.fingerprint
            )
            vectors = embedder.embed(list(queries), "query")
        found = store.search(collection.generation, vectors, parameters.top_k)
        texts = keyword_table(store, collection.generation)
    finally:
        store.close()
    return [
        [Hit(int(i), texts[int(i)], float(score)) for i, score in zip(ids, scores, strict=True) if i != NO_ID]
        for ids, scores in zip(found.ids, found.scores, strict=True)
    ]
