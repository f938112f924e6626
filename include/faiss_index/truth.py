"""Sample queries with their exact neighbours, kept right as rows come and go, without reading the table again.

For each query the nearest ``DEPTH`` rows are listed, and a bound: every row above it is in the list. Rows that leave
shorten the list; new rows enter above the bound. While ten rows stand above the bound, recall@10 is exact; a query
that has fewer is left out and counted, until the next full build. The queries are rows themselves, and no neighbours of
their own.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from io import BytesIO
from pathlib import Path
from typing import Self

import numpy as np
from numpy.typing import NDArray

from include.errors import ContractError
from include.faiss_index.engine import Vectors
from include.faiss_index.ids import Ids
from include.faiss_index.storage import FileDigest, hashed_file, storage_faults
from include.generations.vectors import VectorRows

DEPTH = 50
TOP_K = 10
TIE = 1e-6  # cosines closer than this are the same to float32
NOBODY = -1


@dataclass(frozen=True)
class Recall:
    """Recall@10 over the sample queries whose exact neighbours are known."""

    value: float | None  # None: no query can be measured
    queries: int  # measured
    left_out: int


@dataclass(frozen=True)
class Truth:
    """Queries of unit length and their nearest rows, best first."""

    query_ids: Ids  # [Q]
    queries: Vectors  # [Q, D]
    unchanged: NDArray[np.bool_]  # [Q] whether the query is still a row of the index, with this vector
    ids: Ids  # [Q, DEPTH], NOBODY where there are fewer
    scores: Vectors  # [Q, DEPTH], -inf where there are fewer
    bound: Vectors  # [Q] every row with a higher score is listed; -inf: all rows are

    @classmethod
    def begin(cls, queries: VectorRows) -> Self:
        """No rows yet; ``queries`` are of unit length."""
        count = len(queries.ids)
        return cls(
            query_ids=queries.ids,
            queries=queries.vectors,
            unchanged=np.zeros(count, np.bool_),
            ids=np.full((count, DEPTH), NOBODY, np.int64),
            scores=np.full((count, DEPTH), -np.inf, np.float32),
            bound=np.full(count, -np.inf, np.float32),
        )

    def without(self, ids: Ids) -> Self:
        """The rows ``ids`` have left."""
        if not len(ids):
            return self
        gone = np.isin(self.ids, ids)
        kept, scores = np.where(gone, NOBODY, self.ids), np.where(gone, np.float32(-np.inf), self.scores)
        order = np.argsort(-scores, axis=1, kind="stable")
        return replace(
            self,
            ids=np.take_along_axis(kept, order, axis=1),
            scores=np.take_along_axis(scores, order, axis=1),
            unchanged=self.unchanged & ~np.isin(self.query_ids, ids),
        )

    def joined(self, rows: VectorRows) -> Self:
        """``rows``, of unit length and not listed yet, have come."""
        scores = self.queries @ rows.vectors.T
        own = np.isin(rows.ids, self.query_ids)
        scores[:, own] = np.where(rows.ids[own] == self.query_ids[:, None], -np.inf, scores[:, own])
        above = scores > self.bound[:, None]
        came = above.sum(axis=1)
        columns = _columns(scores, above, came)  # [Q, W] of rows, best or all of them; NOBODY pads
        new = np.where(columns == NOBODY, np.float32(-np.inf), np.take_along_axis(scores, columns, axis=1))
        ids = np.where(np.isneginf(new), NOBODY, rows.ids[columns])
        every, every_ids = np.hstack([self.scores, new]), np.hstack([self.ids, ids])
        order = np.argsort(-every, axis=1, kind="stable")[:, :DEPTH]
        best = np.take_along_axis(every, order, axis=1)
        full = (self.ids != NOBODY).sum(axis=1) + came > DEPTH
        return replace(
            self,
            ids=np.take_along_axis(every_ids, order, axis=1),
            scores=best,
            bound=np.where(full, np.maximum(self.bound, best[:, -1]), self.bound),
            unchanged=self.unchanged | self._same(rows, own),
        )

    def recall(self, found: Ids) -> Recall:
        """Recall@10 of ``found [Q, K]``, best first, K ≥ 11: the query's own row, if found, does not count.

        Rows that tie with the tenth are as right as the tenth.
        """
        listed = (self.ids != NOBODY).sum(axis=1)
        whole = np.where(
            np.isneginf(self.bound), listed > 0, (listed >= TOP_K) & (self.scores[:, TOP_K - 1] > self.bound + TIE)
        )
        shares = [self._share(query, found[query]) for query in np.flatnonzero(whole).tolist()]
        value = float(np.mean(shares)) if shares else None
        return Recall(value, len(shares), len(whole) - len(shares))

    def save(self, path: Path) -> FileDigest:
        """Write the new file ``path``."""
        packed = BytesIO()  # less than a megabyte
        np.savez(packed, **{name: getattr(self, name) for name in self.__dataclass_fields__})
        with hashed_file(path) as file:
            file.write(packed.getbuffer())
        return file.digest

    @classmethod
    def load(cls, path: Path) -> Self:
        """The inverse of :meth:`save`.

        Raises:
            ContractError: the file is missing or damaged.
        """
        try:
            with storage_faults(path), np.load(path) as file:
                return cls(**{name: file[name] for name in cls.__dataclass_fields__})
        except (ValueError, KeyError, EOFError) as error:
            msg = f"{path} is damaged ({error}). Run faiss_rebuild, or roll back."
            raise ContractError(msg) from error

    def _share(self, query: int, found: Ids) -> float:
        mine = found[(found != self.query_ids[query]) & (found != NOBODY)][:TOP_K]
        listed = self.ids[query] != NOBODY
        wanted = min(TOP_K, int(listed.sum()))
        right = self.ids[query][listed & (self.scores[query] >= self.scores[query][wanted - 1] - TIE)]
        return min(wanted, int(np.isin(mine, right).sum())) / wanted

    def _same(self, rows: VectorRows, own: NDArray[np.bool_]) -> NDArray[np.bool_]:
        """Which queries are among ``rows``, with the very vector that they were drawn with."""
        same = np.zeros(len(self.query_ids), np.bool_)
        for row in np.flatnonzero(own):
            query = np.flatnonzero(self.query_ids == rows.ids[row])[0]
            same[query] = bool(np.dot(rows.vectors[row], self.queries[query]) > 1 - 10 * TIE)
        return same


def _columns(scores: Vectors, above: NDArray[np.bool_], came: NDArray[np.int64]) -> NDArray[np.int64]:
    """``[Q, W]`` which columns of ``scores`` are ``above``, padded by NOBODY; of very many the best ``DEPTH``."""
    width = int(came.max(initial=0))
    if width > 4 * DEPTH:
        masked = np.where(above, scores, np.float32(-np.inf))
        best = np.argpartition(-masked, DEPTH, axis=1)[:, :DEPTH]
        return np.where(np.take_along_axis(above, best, axis=1), best, NOBODY)
    queries, columns = np.nonzero(above)
    padded = np.full((len(scores), width), NOBODY, np.int64)
    padded[queries, np.arange(len(queries)) - (np.cumsum(came) - came)[queries]] = columns
    return padded
