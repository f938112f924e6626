"""Vectors that look like an encoder's: clusters of different sizes, each of low rank, with a little noise."""

from __future__ import annotations

import numpy as np

from include.vector_store.oracle import unit
from include.vector_store.protocol import Vectors

CLUSTERS = 300
RANK = 24  # directions inside a cluster
NOISE = 0.25  # of each coordinate, beside the clusters' spread of 1
BLOCK = 8192


def clustered(points: int, dimension: int, *, seed: int = 0, draw: int = 0) -> Vectors:
    """``[points, dimension]`` rows of unit norm.

    Args:
        points: Rows.
        dimension: Columns.
        seed: Of the clusters.
        draw: Another draw from the same clusters, for example for queries.
    """
    shape = np.random.default_rng(seed)
    centres = shape.standard_normal((CLUSTERS, dimension), np.float32)
    bases = shape.standard_normal((CLUSTERS, RANK, dimension), np.float32) / np.float32(np.sqrt(RANK))
    weights = shape.dirichlet(np.ones(CLUSTERS))
    generator = np.random.default_rng([seed, draw, points])
    rows = np.empty((points, dimension), np.float32)
    cluster_of = generator.choice(CLUSTERS, points, p=weights)
    for start in range(0, points, BLOCK):
        block = slice(start, start + BLOCK)
        for cluster in np.unique(cluster_of[block]):
            members = start + np.flatnonzero(cluster_of[block] == cluster)
            inside = generator.standard_normal((len(members), RANK), np.float32) @ bases[cluster]
            rows[members] = centres[cluster] + inside
        noise = generator.standard_normal(rows[block].shape, np.float32)
        rows[block] = unit(rows[block] + np.float32(NOISE) * noise)
    return rows
