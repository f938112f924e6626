"""What a reader needs of a served collection: its generation, that its model is the query's, its keywords by id."""

from __future__ import annotations

from include.errors import ContractError, InputError
from include.vector_store.protocol import CollectionInfo, KeywordStore


def served_collection(store: KeywordStore, alias: str, *, model: str, model_fingerprint: str) -> CollectionInfo:
    """The generation that ``alias`` serves, to be searched with vectors of the given model.

    Raises:
        InputError: nothing is served under that name.
        ContractError: its vectors were made by another model, so that scores would mean nothing.
    """
    generation = store.resolve(alias)
    if generation is None:
        msg = (
            f"No collection {alias!r} is served. Index keywords first: embsearch index-vectors, or DAG "
            "keyword_vector_index."
        )
        raise InputError(msg)
    info = store.info(generation)
    if info.model_fingerprint != model_fingerprint:
        msg = (
            f"{generation} holds vectors of {info.model} ({info.model_fingerprint[:12]}), but Triton serves "
            f"{model} ({model_fingerprint[:12]}): their scores would mean nothing. Index the keywords again with the "
            "served model, or roll the model back."
        )
        raise ContractError(msg)
    return info


def keyword_table(store: KeywordStore, generation: str) -> dict[int, str]:
    """Keyword by id, so that searches need not bring payloads back."""
    return {
        keyword_id: keyword
        for ids, keywords in store.keywords(generation)
        for keyword_id, keyword in zip(ids.tolist(), keywords, strict=True)
    }
