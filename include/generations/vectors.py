"""Vectors and their ids; in Arrow a column of fixed-size float32 lists, to and from numpy without a loop."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray


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
