"""Which rows an index holds already exactly as it would store them: to put them in again would change nothing."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from include.faiss_index.engine import Index, Vectors, library
from include.faiss_index.ids import Ids, places
from include.faiss_index.opened import OpenIndex
from include.faiss_index.recipe import Recipe
from include.faiss_index.rows import unit
from include.generations.vectors import VectorRows

Mask = NDArray[np.bool_]
Codes = NDArray[np.uint8]


class Stored:
    """What ``opened`` holds at this moment; later rows may leave it or be replaced, which is then seen."""

    def __init__(self, opened: OpenIndex, recipe: Recipe) -> None:
        self._opened, self._recipe = opened, recipe
        in_lists = recipe.kind != "flat" and opened.rows is None
        self._lists = _lists(opened.index) if in_lists else None

    def same(self, rows: VectorRows) -> Mask:
        """``[N]`` whether each row, scaled and coded, is what the index has under its id.

        Raises:
            ContractError: a row cannot be indexed.
        """
        there, place = places(rows.ids, self._opened.ids)
        same = np.zeros(len(rows.ids), np.bool_)
        if not there.any():
            return same
        known = unit(VectorRows(rows.ids[there], rows.vectors[there]), self._recipe.dimension)
        if self._lists is not None:
            same[there] = _same_codes(self._opened.index, known, self._lists[place[there]])
        elif self._opened.rows is not None:
            same[there] = (self._opened.rows[place[there]] == known.vectors.astype(np.float16)).all(axis=1)
        else:
            same[there] = _same_vectors(self._opened.index, known)
        return same


def _lists(index: Index) -> Ids:
    """The number of the list of each row, by ascending id."""
    faiss, lists = library(), index.invlists
    sizes = [lists.list_size(number) for number in range(index.nlist)]
    parts = [faiss.rev_swig_ptr(lists.get_ids(number), size) for number, size in enumerate(sizes) if size]
    order = np.argsort(np.concatenate([np.empty(0, np.int64), *parts]))
    return np.repeat(np.arange(index.nlist), sizes)[order]


def _same_codes(index: Index, rows: VectorRows, lists: Ids) -> Mask:
    """Whether each row stands in its list with the code that it would get there.

    A row that would go to another list differs from what is stored by more than its code can hide.
    """
    faiss, codes = library(), _encoded(index, rows.vectors, lists)
    same = np.zeros(len(rows.ids), np.bool_)
    order = np.argsort(lists, kind="stable")
    starts = np.flatnonzero(np.diff(lists[order], prepend=-1))
    for group in np.split(order, starts[1:]):
        ids, stored = _list(faiss, index, int(lists[group[0]]))
        found = rows.ids[group][:, None] == ids
        same[group] = found.any(axis=1) & (stored[found.argmax(axis=1)] == codes[group]).all(axis=1)
    return same


def _encoded(index: Index, vectors: Vectors, lists: Ids) -> Codes:
    """The code of each of ``vectors`` in its list."""
    faiss = library()
    vectors, lists = np.ascontiguousarray(vectors, np.float32), np.ascontiguousarray(lists, np.int64)
    codes = np.empty((len(vectors), index.code_size), np.uint8)
    index.encode_vectors(len(vectors), faiss.swig_ptr(vectors), faiss.swig_ptr(lists), faiss.swig_ptr(codes))
    return codes


def _list(faiss: Any, index: Index, number: int) -> tuple[Ids, Codes]:
    """Ids and codes of one list; they are the index's own memory. An empty one holds a row that nobody has."""
    lists, size = index.invlists, index.invlists.list_size(number)
    if not size:
        return np.full(1, -1, np.int64), np.zeros((1, index.code_size), np.uint8)
    codes = faiss.rev_swig_ptr(lists.get_codes(number), size * index.code_size)
    return faiss.rev_swig_ptr(lists.get_ids(number), size), codes.reshape(size, index.code_size)


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
