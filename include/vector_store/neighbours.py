"""Search results as arrays."""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np

from include.vector_store.protocol import NO_ID, Neighbours


def empty_neighbours(queries: int, top_k: int) -> Neighbours:
    """A result with nothing found yet: NO_ID and NaN everywhere."""
    return Neighbours(np.full((queries, top_k), NO_ID, np.int64), np.full((queries, top_k), np.nan, np.float32))


def as_neighbours(rows: Iterable[tuple[list[int], list[float]]], queries: int, top_k: int) -> Neighbours:
    """Rows of (ids, scores) as arrays, best first, equal scores by id."""
    found = empty_neighbours(queries, top_k)
    for row, (ids, scores) in enumerate(rows):
        ids_array, scores_array = np.array(ids, np.int64), np.array(scores, np.float32)
        order = np.lexsort((ids_array, -scores_array))
        found.ids[row, : len(ids)] = ids_array[order]
        found.scores[row, : len(ids)] = scores_array[order]
    return found
