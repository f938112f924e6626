"""Vectors that need not be made again: unchanged texts of the generation before, under the same fingerprint."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pyarrow.parquet as pq
from numpy.typing import NDArray

from include.generations.vectors import from_column

log = logging.getLogger(__name__)

ROWS_AT_ONCE = 4096


class KnownVectors:
    """Looks vectors up by text hash in the finished parts of an earlier build.

    Only the hashes are kept in memory, 16 bytes and a position a text; vectors are read when asked for.
    """

    def __init__(self, parts: Sequence[Path]) -> None:
        self._parts = list(parts)
        self._where: dict[bytes, tuple[int, int]] = {}  # hash → part, row
        for number, part in enumerate(self._parts):
            hashes = pq.read_table(part, columns=["text_hash"])["text_hash"].to_pylist()
            self._where.update((digest, (number, row)) for row, digest in enumerate(hashes))

    def __len__(self) -> int:
        return len(self._where)

    def fill(self, hashes: Sequence[bytes], into: NDArray[np.float32]) -> NDArray[np.bool_]:
        """Write the known vectors into the rows of ``into`` ``[N, D]``; return which rows were known ``[N]``."""
        known = np.zeros(len(hashes), bool)
        wanted: dict[int, list[tuple[int, int]]] = {}  # part → (row there, row here)
        for here, digest in enumerate(hashes):
            if place := self._where.get(digest):
                wanted.setdefault(place[0], []).append((place[1], here))
        for number, pairs in wanted.items():
            there, here_rows = np.array(pairs).T
            vectors = from_column(pq.read_table(self._parts[number], columns=["vector"])["vector"])
            into[here_rows] = vectors[there]
            known[here_rows] = True
        return known
