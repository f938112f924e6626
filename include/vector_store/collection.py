"""What a reader needs of a served collection: its generation, the model of its vectors, its keywords by id."""

from __future__ import annotations

from include.errors import InputError
from include.vector_store.protocol import CollectionInfo, KeywordStore


def served_collection(store: KeywordStore, alias: str) -> CollectionInfo:
    """The generation that ``alias`` serves, to be searched with vectors of the very model that it names, and no other.

    Raises:
        InputError: nothing is served under that name.
    """
    generation = store.resolve(alias)
    if generation is None:
        msg = (
            f"No collection {alias!r} is served. Index keywords first: embsearch index-vectors, or DAG "
            "keyword_vector_index."
        )
        raise InputError(msg)
    return store.info(generation)


def keyword_table(store: KeywordStore, generation: str) -> dict[int, str]:
    """Keyword by id, so that searches need not bring payloads back."""
    return {
        keyword_id: keyword
        for ids, keywords in store.keywords(generation)
        for keyword_id, keyword in zip(ids.tolist(), keywords, strict=True)
    }
