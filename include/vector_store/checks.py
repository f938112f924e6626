"""What points and queries must be before any back end sees them."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from include.errors import ContractError, InputError
from include.vector_store.protocol import Ids, Vectors


def check_points(generation: str, ids: Ids, vectors: Vectors, keywords: Sequence[str], dimension: int) -> Vectors:
    """The vectors as contiguous float32 ``[N, D]`` when the points can be stored.

    Raises:
        ContractError: lengths that differ, a negative id, a wrong dimension, a value that is not finite, or a keyword
            that is not valid Unicode.
    """
    if not len(ids) == len(vectors) == len(keywords):
        msg = (
            f"{generation}: {len(ids)} ids, {len(vectors)} vectors and {len(keywords)} keywords; they must be as many."
        )
        raise ContractError(msg)
    if len(ids) and int(np.min(ids)) < 0:
        msg = f"{generation}: keyword id {int(np.min(ids))} is negative; ids are whole numbers from 0."
        raise ContractError(msg)
    for keyword_id, keyword in zip(ids, keywords, strict=True):
        if not _is_unicode(keyword):
            msg = f"{generation}: keyword {keyword_id} ({keyword!r}) holds a lone surrogate. Remove it from the input."
            raise ContractError(msg)
    return _check_vectors(f"{generation}: keyword", ids, vectors, dimension)


def check_queries(name: str, queries: Vectors, dimension: int) -> Vectors:
    """The queries as contiguous float32 ``[N, D]`` when the collection can be asked for them.

    Raises:
        ContractError: a wrong dimension, or a value that is not finite.
    """
    return _check_vectors(f"{name}: query", np.arange(len(queries)), queries, dimension)


def check_top_k(top_k: int) -> None:
    """Raise InputError unless ``top_k`` is at least 1."""
    if top_k < 1:
        msg = f"top_k is {top_k}; ask for at least 1."
        raise InputError(msg)


def _check_vectors(what: str, ids: NDArray[np.int64], vectors: Vectors, dimension: int) -> Vectors:
    array = np.ascontiguousarray(vectors, np.float32)
    if array.ndim != 2 or array.shape[1] != dimension:
        msg = (
            f"{what} vectors have shape {array.shape}, but the collection holds {dimension} dimensions. "
            "They come from another model: use the one that made the collection, or index the keywords again."
        )
        raise ContractError(msg)
    finite = np.isfinite(array).all(axis=1)
    if not finite.all():
        first = int(ids[int(np.argmin(finite))])
        msg = (
            f"{what} {first} has a vector with NaN or infinity ({int((~finite).sum())} of {len(array)} have). "
            "The model is broken: check it with embsearch check-model."
        )
        raise ContractError(msg)
    return array


def _is_unicode(text: str) -> bool:
    try:
        text.encode()
    except UnicodeEncodeError:
        return False
    return True
