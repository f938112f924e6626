"""Which rows an index holds already exactly as it would store them: to put them in again would change nothing."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from include.faiss_index.engine import Index, Vectors, library
from include.faiss_index.ids import Ids, places
from include.faiss_index.opened import OpenIndex
from include.faiss_index.recipe import Recipe
from include.faiss_index.rows import unit
from include.generations.vectors import VectorRows

Mask = NDArray[np.bool_]


def unchanged(opened: OpenIndex, rows: VectorRows, recipe: Recipe) -> Mask:
    """``[N]`` of ``rows``; each is compared as it would be stored, scaled and coded.

    Raises:
        ContractError: a row cannot be indexed.
    """
    there, place = places(rows.ids, opened.ids)
    same = np.zeros(len(rows.ids), np.bool_)
    if not there.any():
        return same
    known = unit(VectorRows(rows.ids[there], rows.vectors[there]), recipe.dimension)
    if opened.rows is not None:
        same[there] = (opened.rows[place[there]] == known.vectors.astype(np.float16)).all(axis=1)
    elif recipe.kind == "flat":
        same[there] = _same_vectors(opened.index, known)
    else:
        same[there] = _same_codes(opened.index, known)
    return same


def _same_vectors(index: Index, rows: VectorRows) -> Mask:
    """The same for an index that keeps the vectors as they are."""
    faiss = library()
    ids = faiss.vector_to_array(index.id_map)
    kept = faiss.downcast_index(index.index)
    stored = faiss.rev_swig_ptr(kept.get_xb(), kept.ntotal * kept.d).reshape(kept.ntotal, kept.d)
    by_id = np.argsort(ids)
    there, place = places(rows.ids, ids[by_id])
    same = np.zeros(len(rows.ids), np.bool_)
    same[there] = (stored[by_id[place[there]]] == rows.vectors[there]).all(axis=1)
    return same


def _same_codes(index: Index, rows: VectorRows) -> Mask:
    """Whether each row stands with the same code in the list that it would go to."""
    lists, codes = _encoded(index, rows.vectors)
    same = np.zeros(len(rows.ids), np.bool_)
    order = np.argsort(lists, kind="stable")
    first = np.flatnonzero(np.diff(lists[order], prepend=-1))
    for group in np.split(order, first[1:]):
        ids, stored = _list(index, int(lists[group[0]]))
        by_id = np.argsort(ids)
        there, place = places(rows.ids[group], ids[by_id])
        at = by_id[place[there]]
        same[group[there]] = (stored[at] == codes[group[there]]).all(axis=1)
    return same


def _encoded(index: Index, vectors: Vectors) -> tuple[Ids, NDArray[np.uint8]]:
    """The list that each of ``vectors`` goes to, and its code there."""
    coded = index.sa_encode(np.ascontiguousarray(vectors, np.float32))
    width = coded.shape[1] - index.code_size  # the number of the list, its lowest byte first
    weights = 256 ** np.arange(width, dtype=np.int64)
    return coded[:, :width].astype(np.int64) @ weights, coded[:, width:]


def _list(index: Index, number: int) -> tuple[Ids, NDArray[np.uint8]]:
    """Ids and codes of one list; they are the index's own memory."""
    faiss = library()
    lists, size = index.invlists, index.invlists.list_size(number)
    if not size:
        return np.empty(0, np.int64), np.empty((0, index.code_size), np.uint8)
    codes = faiss.rev_swig_ptr(lists.get_codes(number), size * index.code_size)
    return faiss.rev_swig_ptr(lists.get_ids(number), size), codes.reshape(size, index.code_size)
