"""The check that keyword vectors pass before they are served."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass

import numpy as np

from include.errors import GateFailed
from include.vector_store.oracle import ExactSearch
from include.vector_store.protocol import Ids, KeywordStore, Vectors

Blocks = Callable[[], Iterable[tuple[Ids, Vectors]]]  # called once for each of two passes

SAMPLES = 200
TOP_K = 30
MIN_RECALL = 0.98
NORM_TOLERANCE = 1e-3  # a float16 model is off by about 5e-4


@dataclass(frozen=True)
class VectorFigures:
    """What was measured."""

    expected: int  # points that were written
    read: int  # vectors in the blocks
    points: int  # points in the store
    not_finite: int  # vectors with NaN or infinity
    off_norm: int  # finite vectors whose norm is not 1 within the tolerance
    worst_norm_error: float
    sampled: int  # queries
    top_k: int
    recall: float  # recall@top_k against exact search; 0 when it could not be measured
    min_recall: float


@dataclass(frozen=True)
class _Read:
    count: int
    not_finite: int
    off_norm: int
    worst: float
    sample: Vectors  # [S, D]


def check_vectors(
    store: KeywordStore,
    generation: str,
    blocks: Blocks,
    *,
    expected: int,
    min_recall: float = MIN_RECALL,
    samples: int = SAMPLES,
    top_k: int = TOP_K,
    norm_tolerance: float = NORM_TOLERANCE,
    seed: int = 0,
) -> VectorFigures:
    """Compare a sealed ``generation`` with the vectors that it was built from.

    Two passes over ``blocks``, one block in memory at a time: the first counts, checks and draws the sample, the second
    searches it exactly. Stored vectors are queries here, so each finds at least itself.

    Args:
        store: Where the generation is.
        generation: Its name.
        blocks: Gives ``(ids [n], vectors [n, D])`` from the beginning at each call.
        expected: Points that were written.
        min_recall: Floor of recall@top_k.
        samples: Queries, or all vectors when there are fewer.
        top_k: Neighbours compared.
        norm_tolerance: How far a norm may be from 1.
        seed: Of the sample.

    Raises:
        GateFailed: each failed check with its figure and its floor.
    """
    read = _read(blocks, expected, samples, norm_tolerance, seed)
    points = store.info(generation).points
    measurable = len(read.sample) > 0 and read.not_finite == read.off_norm == 0
    recall = _recall(store, generation, blocks, read.sample, top_k) if measurable else 0.0
    figures = VectorFigures(
        expected=expected, read=read.count, points=points, not_finite=read.not_finite, off_norm=read.off_norm,
        worst_norm_error=read.worst, sampled=len(read.sample), top_k=top_k, recall=recall, min_recall=min_recall,
    )  # fmt: skip
    failures = _failures(figures, norm_tolerance, measurable=measurable)
    if failures:
        msg = f"{generation} is not served: {'; '.join(failures)}. What was served before stays."
        raise GateFailed(msg)
    return figures


def _failures(figures: VectorFigures, tolerance: float, *, measurable: bool) -> list[str]:
    checks = {
        "no keywords (0 of at least 1)": figures.expected > 0,
        f"count: {figures.points} points stored, {figures.expected} expected": figures.points == figures.expected,
        f"count: {figures.read} vectors read, {figures.expected} expected": figures.read == figures.expected,
        f"finite: {figures.not_finite} vectors hold NaN or infinity, 0 allowed": figures.not_finite == 0,
        f"unit norm: {figures.off_norm} vectors are off by more than {tolerance}, the worst by "
        f"{figures.worst_norm_error:.4g}": figures.off_norm == 0,
        f"recall@{figures.top_k}: {figures.recall:.4f} on {figures.sampled} queries, at least "
        f"{figures.min_recall} needed": not measurable or figures.recall >= figures.min_recall,
    }
    return [message for message, passed in checks.items() if not passed]


def _read(blocks: Blocks, expected: int, samples: int, tolerance: float, seed: int) -> _Read:
    """First pass. Rows are drawn by position, so the sample is the same whatever the blocks."""
    drawn = np.sort(np.random.default_rng(seed).choice(expected, min(samples, expected), replace=False))
    count = not_finite = off_norm = 0
    worst = 0.0
    sample = []
    for _, vectors in blocks():
        finite = np.isfinite(vectors).all(axis=1)
        errors = np.abs(np.linalg.norm(vectors[finite], axis=1) - 1)
        not_finite += int((~finite).sum())
        off_norm += int((errors > tolerance).sum())
        worst = max(worst, float(errors.max(initial=0.0)))
        here = drawn[(drawn >= count) & (drawn < count + len(vectors))] - count
        sample.append(np.array(vectors[here], np.float32))
        count += len(vectors)
    return _Read(count, not_finite, off_norm, worst, np.concatenate(sample) if sample else np.empty((0, 0), np.float32))


def _recall(store: KeywordStore, generation: str, blocks: Blocks, sample: Vectors, top_k: int) -> float:
    """Second pass."""
    exact = ExactSearch(sample, top_k)
    for ids, vectors in blocks():
        exact.add(ids, vectors)
    return exact.recall(store.search(generation, sample, top_k))
