"""Vectors, their ids and their lengths; in Arrow a column of float32 lists, to and from numpy without a loop."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

Norms = NDArray[np.float64]  # [N]


def to_column(vectors: NDArray[np.float32]) -> Any:
    """``[N, D]`` float32 as one Arrow column of N lists of D."""
    return pa.FixedSizeListArray.from_arrays(pa.array(vectors.reshape(-1), pa.float32()), vectors.shape[1])


def from_column(column: Any) -> NDArray[np.float32]:
    """The inverse of :func:`to_column`, for an array or a chunked array."""
    array = column.combine_chunks() if isinstance(column, pa.ChunkedArray) else column
    flat: NDArray[np.float32] = array.flatten().to_numpy(zero_copy_only=False)
    return flat.reshape(len(array), array.type.list_size)


@dataclass(frozen=True)
class VectorRows:
    """Some rows of a table of vectors."""

    ids: NDArray[np.int64]  # [N], the table's own
    vectors: NDArray[np.float32]  # [N, D]


def norms_of(vectors: NDArray[np.float32]) -> Norms:
    """The length of each row of ``[N, D]``: 0 only where all values are 0, NaN or infinity only where one is."""
    with np.errstate(over="ignore", invalid="ignore"):
        # float64: squares of float32 values overflow and vanish long before the values do
        norms: Norms = np.sqrt(np.einsum("ij,ij->i", vectors, vectors, dtype=np.float64))
    return norms


def have_direction(vectors: NDArray[np.float32]) -> NDArray[np.bool_]:
    """Which rows of ``[N, D]`` can be indexed: their values are finite, and not all of them are 0."""
    with np.errstate(over="ignore", invalid="ignore", under="ignore"):
        squares = np.einsum("ij,ij->i", vectors, vectors)  # several times as fast in float32, which proves most of them
    good: NDArray[np.bool_] = np.isfinite(squares) & (squares > 0)
    doubtful = ~good
    if doubtful.any():
        norms = norms_of(vectors[doubtful])
        good[doubtful] = np.isfinite(norms) & (norms > 0)
    return good


def scaled(vectors: NDArray[np.float32]) -> NDArray[np.float32]:
    """``vectors``, which all have a direction, with length 1."""
    return (vectors / norms_of(vectors)[:, None]).astype(np.float32)
