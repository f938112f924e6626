"""Rows on their way into an index: what can be used, scaled to length 1, in batches of a good size."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

import numpy as np

from include.errors import ContractError
from include.generations.vectors import VectorRows, have_direction, norms_of, scaled

BATCH_ROWS = 20_000  # of one call of the engine, which then uses all its threads


def usable(rows: VectorRows, dimension: int) -> tuple[VectorRows, dict[int, str]]:
    """The rows that can be indexed, scaled to length 1, and of the others id → reason.

    Raises:
        ContractError: the vectors have another dimension, or there are not as many ids.
    """
    vectors = np.ascontiguousarray(rows.vectors, np.float32)
    if vectors.ndim != 2 or vectors.shape[1] != dimension or len(rows.ids) != len(vectors):
        msg = (
            f"{len(rows.ids)} ids with vectors of shape {vectors.shape} do not fit an index of {dimension} dimensions. "
            "They come from another model: use that of the index, or run faiss_rebuild."
        )
        raise ContractError(msg)
    good = have_direction(vectors) & (rows.ids >= 0)
    refused = np.flatnonzero(~good)
    bad = {int(rows.ids[row]): _reason(norm) for row, norm in zip(refused, norms_of(vectors[refused]), strict=True)}
    return VectorRows(np.ascontiguousarray(rows.ids[good], np.int64), scaled(vectors[good])), bad


def unit(rows: VectorRows, dimension: int) -> VectorRows:
    """All of ``rows``, scaled to length 1.

    Raises:
        ContractError: one of them cannot be indexed; the message names its id.
    """
    good, bad = usable(rows, dimension)
    if bad:
        first, reason = next(iter(bad.items()))
        msg = f"Row {first} cannot be indexed: {reason} ({len(bad)} such rows). Set such rows aside before."
        raise ContractError(msg)
    return good


def batches(pages: Iterable[VectorRows], rows: int = BATCH_ROWS) -> Iterator[VectorRows]:
    """The same rows in the same order, joined to at least ``rows`` at a time."""
    waiting: list[VectorRows] = []
    for page in pages:
        if len(page.ids):
            waiting.append(page)
        if sum(len(each.ids) for each in waiting) >= rows:
            yield _joined(waiting)
            waiting = []
    if waiting:
        yield _joined(waiting)


def _reason(norm: float) -> str:
    if not np.isfinite(norm):
        return "it holds NaN or infinity"
    return "all of its values are 0" if norm == 0 else "its id is negative"


def _joined(pages: list[VectorRows]) -> VectorRows:
    if len(pages) == 1:
        return pages[0]
    return VectorRows(np.concatenate([page.ids for page in pages]), np.concatenate([page.vectors for page in pages]))
