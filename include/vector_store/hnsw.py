"""The parameters of Qdrant's graph, the same on a server and in process, as they were measured.

int8 scalar quantisation with ef 128, rescoring and oversampling 2 reaches recall@30 0.999 on overlapping clusters at
half the CPU time of the float32 graph; without oversampling it is 0.95 (``docs/performance.md``).
"""

from __future__ import annotations

M = 16
EF_CONSTRUCT = 100
EF_SEARCH = 128
OVERSAMPLING = 2.0
QUANTILE = 0.99
INDEXING_THRESHOLD_KB = 10_000  # of vectors; less is searched exactly


def needs_graph(points: int, dimension: int) -> bool:
    """Whether there are too many float32 vectors to be searched exactly."""
    return points * dimension * 4 >= INDEXING_THRESHOLD_KB * 1024
