"""What is demanded of an export's figures, by precision; and the figures of how near two sets are."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from include.model_export.items import Vectors
from include.model_export.manifest import Precision


@dataclass(frozen=True)
class Floors:
    """The least, or for errors the most, that is accepted against the source model."""

    min_cosine: float
    mean_cosine: float
    max_norm_error: float = 1e-4  # of |norm - 1|: the norm is made in float32 at every precision
    top10_overlap: float = 0.0  # 0: not asked; cosines near 1 leave the order as it is
    max_weight_error: float = 1e-3  # of a lexical weight, relative to the largest of all


FLOORS: dict[Precision, Floors] = {
    "fp32": Floors(min_cosine=0.9999, mean_cosine=0.9999),
    "fp16": Floors(min_cosine=0.999, mean_cosine=0.999, max_weight_error=0.02),
    # Integers change the order of near results, which a cosine alone does not show.
    "int8": Floors(min_cosine=0.95, mean_cosine=0.98, top10_overlap=0.85, max_weight_error=0.3),
}


def cosines(left: Vectors, right: Vectors) -> NDArray[np.float64]:
    """Row by row, ``[N]``, in float64."""
    a, b = left.astype(np.float64), right.astype(np.float64)
    result: NDArray[np.float64] = (a * b).sum(1) / (np.linalg.norm(a, axis=1) * np.linalg.norm(b, axis=1))
    return result


def rank_agreement(left: Vectors, right: Vectors, k: int = 10) -> float:
    """The mean share of each row's ``k`` nearest other rows that both sets of vectors name, by cosine."""
    nearest = [_nearest(vectors, k) for vectors in (left, right)]
    shared = [len(np.intersect1d(a, b, assume_unique=True)) for a, b in zip(*nearest, strict=True)]
    return float(np.mean(shared) / nearest[0].shape[1])


def _nearest(vectors: Vectors, k: int) -> NDArray[np.int64]:
    unit = vectors.astype(np.float64)
    unit /= np.linalg.norm(unit, axis=1, keepdims=True)
    similarity = unit @ unit.T
    np.fill_diagonal(similarity, -np.inf)
    return np.argsort(-similarity, axis=1, kind="stable")[:, : min(k, len(unit) - 1)]
