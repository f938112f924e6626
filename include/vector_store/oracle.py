"""Exact nearest neighbours in numpy: the oracle that the approximate back ends are measured against.

Scores are computed block by block in float32 by matrix product. A float32 dot product of D terms may differ from the
true one by about D · 2⁻²⁴ (Higham, *Accuracy and Stability of Numerical Algorithms*, §3.1), and by a different amount
in another place of the block; so every point within twice that bound of the last place is kept, and the few that are
kept are scored again in float64. Order is by score, then by id, whatever the block size.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from include.vector_store.neighbours import empty_neighbours
from include.vector_store.protocol import Ids, Neighbours, Vectors

BLOCK_ROWS = 16_384
TIE = 1e-6  # cosines closer than this are the same to a float32 model


class ExactSearch:
    """The ``top_k`` nearest points of each query among the blocks shown so far; memory does not grow with them.

    Rows must be of unit norm: scores are then cosines. Identical vectors at the last place are all kept.
    """

    def __init__(self, queries: Vectors, top_k: int) -> None:
        self.queries = np.ascontiguousarray(queries, np.float32)
        self.top_k = top_k
        self._margin = TIE + 2 * self.queries.shape[1] * 2.0**-24 * np.linalg.norm(self.queries, axis=1)
        self._floor = np.full(len(self.queries), -np.inf)  # [N] score of the last place so far
        self._ids: list[Ids] = [np.empty(0, np.int64)] * len(self.queries)
        self._scores: list[NDArray[np.float64]] = [np.empty(0)] * len(self.queries)

    def add(self, ids: Ids, vectors: Vectors) -> None:
        """Look at more points: ``[M]`` and ``[M, D]``."""
        for start in range(0, len(ids), BLOCK_ROWS):
            self._add_block(ids[start : start + BLOCK_ROWS], vectors[start : start + BLOCK_ROWS])

    def _add_block(self, ids: Ids, vectors: Vectors) -> None:
        approximate = self.queries @ vectors.T
        if len(ids) >= self.top_k:
            last = len(ids) - self.top_k
            self._floor = np.maximum(self._floor, np.partition(approximate, last, axis=1)[:, last])
        rows, columns = np.nonzero(approximate >= (self._floor - self._margin)[:, None])
        cuts = np.searchsorted(rows, np.arange(len(self.queries) + 1))
        for row in np.unique(rows):
            chosen = columns[cuts[row] : cuts[row + 1]]
            # einsum, not a matrix product: equal vectors get equal scores wherever they stand.
            scores = np.einsum("ij,j->i", vectors[chosen].astype(np.float64), self.queries[row].astype(np.float64))
            self._keep(int(row), np.concatenate([self._ids[row], ids[chosen]]), np.append(self._scores[row], scores))

    def _keep(self, row: int, ids: Ids, scores: NDArray[np.float64]) -> None:
        if len(ids) > self.top_k:
            kth = np.partition(scores, len(scores) - self.top_k)[len(scores) - self.top_k]
            self._floor[row] = max(self._floor[row], kth)
            ids, scores = ids[scores >= kth - TIE], scores[scores >= kth - TIE]
        self._ids[row], self._scores[row] = ids, scores

    def neighbours(self) -> Neighbours:
        """The nearest points, best first, equal scores by id."""
        found = empty_neighbours(len(self.queries), self.top_k)
        for row, (ids, scores) in enumerate(zip(self._ids, self._scores, strict=True)):
            order = np.lexsort((ids, -scores))[: self.top_k]
            found.ids[row, : len(order)] = ids[order]
            found.scores[row, : len(order)] = scores[order]
        return found

    def recall(self, found: Neighbours) -> float:
        """recall@top_k of another search over the same points.

        Points whose true score equals that of the last place count as right, whichever of them is found.
        """
        wanted = sum(min(self.top_k, len(ids)) for ids in self._ids)
        hits = sum(
            min(len(np.intersect1d(row[: self.top_k], ids)), self.top_k)
            for row, ids in zip(found.ids, self._ids, strict=True)
        )
        return hits / wanted if wanted else 1.0


def exact_search(vectors: Vectors, ids: Ids, queries: Vectors, top_k: int) -> Neighbours:
    """The ``top_k`` nearest of ``vectors`` ``[M, D]`` for each of ``queries`` ``[N, D]``; rows of unit norm."""
    search = ExactSearch(queries, top_k)
    search.add(ids, vectors)
    return search.neighbours()


def unit(vectors: Vectors) -> Vectors:
    """Rows scaled to unit norm; a zero row stays zero, as in Qdrant."""
    norms = np.linalg.norm(vectors, axis=1, keepdims=True)
    scaled: Vectors = np.divide(vectors, np.where(norms == 0, 1, norms), dtype=np.float32)
    return scaled
