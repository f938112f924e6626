"""Vectors out of the bytes of a column: what cannot be one is set aside with its reason."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from include.errors import InputError
from include.generations.vectors import VectorRows, have_direction, norms_of

NULL, LENGTH, NOT_FINITE, ZERO = "null", "wrong length", "not finite", "zero norm"
LARGEST_ID = 2**63 - 1


@dataclass(frozen=True)
class BadRow:
    """A row whose vector cannot go into an index."""

    id: int
    reason: str  # to count by: "null", "wrong length", "not finite", "zero norm"
    detail: str = ""  # for its reader: "2044 bytes, 2048 are 512 float32"


def decode(
    rows: Sequence[tuple[int, bytes | None]], dimension: int, vector_type: str, table: str
) -> tuple[VectorRows, tuple[BadRow, ...]]:
    """Ids and ``[N, dimension]`` float32 of the good rows, in the order given, and the bad rows.

    Each row's length is checked before the bytes are joined: one short and one long row together would pass later.

    Args:
        rows: (id, bytes) of each row.
        dimension: Numbers in a vector.
        vector_type: What numpy calls the numbers, such as ``<f4``.
        table: To name in messages.

    Raises:
        InputError: the ids are no whole numbers below 2^63, or the column holds text.
    """
    expected = dimension * np.dtype(vector_type).itemsize
    whole = [(number, blob) for number, blob in rows if blob is not None and len(blob) == expected]
    bad = (
        []
        if len(whole) == len(rows)
        else [_unlike(row, expected, vector_type, table) for row in rows if row[1] is None or len(row[1]) != expected]
    )
    ids = _ids([number for number, _ in whole], table)
    if whole and not isinstance(whole[0][1], bytes):
        raise InputError(_text(table))
    joined = b"".join([blob for _, blob in whole if blob is not None])
    vectors = np.frombuffer(joined, vector_type).reshape(len(whole), dimension).astype(np.float32, copy=False)
    good = have_direction(vectors)
    if not good.all():
        norms = norms_of(vectors[~good]).tolist()
        bad += [_without_direction(number, norm) for number, norm in zip(ids[~good].tolist(), norms, strict=True)]
        ids, vectors = ids[good], vectors[good]
    return VectorRows(ids, vectors), tuple(sorted(bad, key=lambda row: row.id))


def _ids(numbers: Sequence[int], table: str) -> NDArray[np.int64]:
    if numbers and not (isinstance(numbers[0], int) and max(numbers) <= LARGEST_ID):
        msg = f"{table}: ids must be whole numbers below 2^63, as an index keeps them; found {max(numbers)!r}."
        raise InputError(msg)
    return np.array(numbers, dtype=np.int64)


def _unlike(row: tuple[int, bytes | None], expected: int, vector_type: str, table: str) -> BadRow:
    number, blob = row
    if blob is None:
        return BadRow(number, NULL)
    if not isinstance(blob, bytes):
        raise InputError(_text(table))
    return BadRow(number, LENGTH, f"{len(blob)} bytes, {expected} are expected of {np.dtype(vector_type).name}")


def _without_direction(number: int, norm: float) -> BadRow:
    return BadRow(number, ZERO) if norm == 0 else BadRow(number, NOT_FINITE)


def _text(table: str) -> str:
    return (
        f"{table}: the column of vectors holds text. The jobs read the bytes of little-endian float32 or float16 "
        "(a BLOB or BINARY column): name that column by EMBSEARCH_MYSQL_VECTOR_COLUMN."
    )
