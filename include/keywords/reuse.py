"""Vectors that need not be made again: unchanged texts of the generation before, under the same fingerprint."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from tempfile import TemporaryFile

import numpy as np
import pyarrow.parquet as pq
from numpy.typing import NDArray

from include.generations.vectors import from_column


class KnownVectors:
    """Looks vectors up by text hash in the finished parts of an earlier build.

    The parts are read once, whatever order they are asked for in: their vectors are laid out in a file in ``scratch``
    that nobody else sees and that is gone with this object. Memory holds a hash and a row number for each text.
    """

    def __init__(self, parts: Sequence[Path], *, scratch: Path) -> None:
        self._row: dict[bytes, int] = {}
        self._vectors: NDArray[np.float32] | None = None
        with TemporaryFile(dir=scratch) as file:
            rows = dimension = 0
            for part in parts:
                table = pq.read_table(part, columns=["text_hash", "vector"])
                vectors = from_column(table["vector"])
                vectors.tofile(file)
                self._row.update(zip(table["text_hash"].to_pylist(), range(rows, rows + len(table)), strict=True))
                rows, dimension = rows + len(table), vectors.shape[1]
            if rows:  # an empty file cannot be mapped
                self._vectors = np.memmap(file, np.float32, "r").reshape(-1, dimension)

    def __len__(self) -> int:
        return len(self._row)

    def fill(self, hashes: Sequence[bytes], into: NDArray[np.float32]) -> NDArray[np.bool_]:
        """Write the known vectors into the rows of ``into`` ``[N, D]``; return which rows were known ``[N]``."""
        rows = np.array([self._row.get(digest, -1) for digest in hashes])
        known = rows >= 0
        if self._vectors is not None:
            into[known] = self._vectors[rows[known]]
        return known
