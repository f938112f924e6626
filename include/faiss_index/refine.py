"""Rows in float16 beside the codes of an index: candidates that codes found are put in order by them.

A plain file of ``[N, D]``, in the order of the version's ids, mapped rather than read: memory holds the codes alone.
Float16 changes a cosine by less than 1e-3.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from include.faiss_index.engine import Vectors
from include.faiss_index.ids import Ids, places
from include.faiss_index.storage import FileDigest, HashedFile, hashed_file, storage_faults
from include.generations.vectors import VectorRows

Half = NDArray[np.float16]
REFINE = "refine.f16"
BLOCK_ROWS = 16_384
BLOCK_QUERIES = 64


def mapped(path: Path, rows: int, dimension: int) -> Half:
    """The rows of ``path``, read when they are touched.

    Raises:
        ContractError: the file is missing.
    """
    with storage_faults(path):
        return (
            np.memmap(path, np.float16, "r", shape=(rows, dimension)) if rows else np.empty((0, dimension), np.float16)
        )


def rescored(queries: Vectors, candidates: Ids, ids: Ids, rows: Half, k: int) -> tuple[Vectors, Ids]:
    """The best ``k`` of ``candidates [Q, C]`` (−1 where there are fewer) by the ``rows`` of the ascending ``ids``."""
    scores = np.empty(candidates.shape, np.float32)
    positions = np.searchsorted(ids, np.maximum(candidates, ids[0] if len(ids) else 0))
    for start in range(0, len(queries), BLOCK_QUERIES):
        block = slice(start, start + BLOCK_QUERIES)
        vectors = rows[positions[block]].astype(np.float32)
        scores[block] = np.einsum("qd,qcd->qc", queries[block], vectors)
    scores[candidates < 0] = -np.inf
    order = np.argsort(-scores, axis=1, kind="stable")[:, :k]
    return np.take_along_axis(scores, order, axis=1), np.take_along_axis(candidates, order, axis=1)


@dataclass
class Spill:
    """New rows on their way to a version: on disk, in the order in which they come."""

    file: HashedFile
    dimension: int
    ids: list[Ids] = field(default_factory=list)

    def add(self, rows: VectorRows) -> None:
        """Append rows of unit length."""
        self.file.write(np.ascontiguousarray(rows.vectors, np.float16).tobytes())
        self.ids.append(rows.ids)

    def merge(self, folder: Path, ids: Ids, old_ids: Ids, old_rows: Half | None) -> FileDigest:
        """Write the rows of the ascending ``ids`` into ``folder``: each from here, else from ``old_rows``."""
        self.file.file.flush()
        new_ids = np.concatenate([np.empty(0, np.int64), *self.ids])
        new_rows = mapped(self.file.path, len(new_ids), self.dimension)
        order = np.argsort(new_ids, kind="stable")
        with hashed_file(folder / REFINE) as file:
            for start in range(0, len(ids), BLOCK_ROWS):
                block = ids[start : start + BLOCK_ROWS]
                out = np.empty((len(block), self.dimension), np.float16)
                new, place = places(block, new_ids[order])
                out[new] = new_rows[order[place[new]]]
                if old_rows is not None and not new.all():
                    out[~new] = old_rows[np.searchsorted(old_ids, block[~new])]
                file.write(out.tobytes())
        return file.digest
