"""Vectors that look like an encoder's: clusters of very different sizes in a space of few directions, seeded."""

from __future__ import annotations

import zlib
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

LATENT = 40  # directions that the vectors really use
MOST_CLUSTERS = 3000
ROWS_OF_A_CLUSTER = 40  # on average, in small tables
SPREAD = 0.7  # inside a cluster, beside 1 between their centres


@dataclass(frozen=True)
class Clusters:
    """The shape that all vectors of one table share."""

    centres: NDArray[np.float32]  # [C, LATENT]
    weights: NDArray[np.float64]  # [C], Zipf's law
    directions: NDArray[np.float32]  # [LATENT, D]
    seed: tuple[int, int]

    @classmethod
    def of(cls, name: str, dimension: int, rows: int, seed: int) -> Clusters:
        """Those of the table ``name`` with about ``rows`` rows."""
        own = (seed, zlib.crc32(name.encode()))
        generator = np.random.default_rng(own)
        count = max(1, min(MOST_CLUSTERS, rows // ROWS_OF_A_CLUSTER))
        weights = 1 / np.arange(1, count + 1)
        return cls(
            generator.standard_normal((count, LATENT), np.float32),
            weights / weights.sum(),
            generator.standard_normal((LATENT, dimension), np.float32),
            own,
        )

    def draw(self, count: int, *draw: int) -> NDArray[np.float32]:
        """``[count, D]`` float32 rows of unit norm; the same numbers ``draw`` give the same rows."""
        generator = np.random.default_rng((*self.seed, *draw))
        chosen = generator.choice(len(self.weights), count, p=self.weights)
        latent = self.centres[chosen] + np.float32(SPREAD) * generator.standard_normal((count, LATENT), np.float32)
        rows = latent @ self.directions
        rows /= np.linalg.norm(rows, axis=1, keepdims=True)
        return rows
