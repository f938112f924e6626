"""Results of several runners as one list."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace

from include.errors import InputError
from include.fulltext.results import DocumentWithScore

RANK_CONSTANT = 60
UNION, FUSION = "union", "rrf"
ORDER = ("vector", "fulltext", "graph", "summary")  # of a union; runners of other names come behind

Results = Mapping[str, Sequence[DocumentWithScore]]  # name of a runner → what it found, best first


def merged(
    results: Results, strategy: str = UNION, *, deduplicate: bool = True, weights: Mapping[str, float] | None = None
) -> list[DocumentWithScore]:
    """By :func:`union` or by :func:`reciprocal_rank_fusion`.

    Raises:
        InputError: there is no such strategy.
    """
    if strategy == UNION:
        return union(results, deduplicate=deduplicate)
    if strategy == FUSION:
        return reciprocal_rank_fusion(results, weights=weights)
    msg = f"Unknown merge strategy {strategy!r}. There are: {UNION}, {FUSION}."
    raise InputError(msg)


def union(results: Results, *, deduplicate: bool = True) -> list[DocumentWithScore]:
    """All of each runner after the other in :data:`ORDER`; of equal texts the first, when ``deduplicate``."""
    names = sorted(results, key=lambda name: ORDER.index(name) if name in ORDER else len(ORDER))
    everything = [result for name in names for result in results[name]]
    if not deduplicate:
        return everything
    first: dict[str, DocumentWithScore] = {}
    for result in everything:
        first.setdefault(result.text, result)
    return list(first.values())


def reciprocal_rank_fusion(
    results: Results, k: int = RANK_CONSTANT, weights: Mapping[str, float] | None = None
) -> list[DocumentWithScore]:
    """Each chunk once, by the sum of ``weight / (k + rank)`` over the runners that found it, best first.

    Ranks begin with 1; a weight that is not given is 1. Its metadata tell the ``ranks`` by runner; the rest is that of
    the runner that adds most. What has no ``chunk_id`` is the same when its text is.

    Source: G. Cormack, C. Clarke, S. Büttcher, "Reciprocal rank fusion outperforms Condorcet and individual rank
    learning methods", SIGIR 2009.

    Raises:
        InputError: ``k`` or a weight is negative, or a weight is of no runner.
    """
    given = weights or {}
    if k < 0 or any(weight < 0 for weight in given.values()) or not set(given) <= set(results):
        msg = (
            f"Fusion with k={k} and weights {dict(given)} of {', '.join(results)}: none may be negative or of another."
        )
        raise InputError(msg)
    shares: dict[tuple[str, str], dict[str, tuple[float, int]]] = {}  # chunk → runner → what it adds, its rank
    found: dict[tuple[str, str], tuple[float, DocumentWithScore]] = {}
    for name, ranked in results.items():
        for rank, result in enumerate(ranked, start=1):
            key, share = _identity(result), given.get(name, 1.0) / (k + rank)
            if name in shares.setdefault(key, {}):
                continue
            shares[key][name] = (share, rank)
            if key not in found or share > found[key][0]:
                found[key] = (share, result)
    fused = [
        replace(
            result,
            score=sum(share for share, _ in shares[key].values()),
            metadata={**result.metadata, "ranks": {name: rank for name, (_, rank) in shares[key].items()}},
        )
        for key, (_, result) in found.items()
    ]
    return sorted(fused, key=lambda result: -result.score)  # stable: of equals, the first runner's comes first


def best_of(found: Results, *, score: str) -> list[DocumentWithScore]:
    """Best first: of one list by its own scores, of several, whose scores cannot be compared, by reciprocal ranks.

    Of several, ``score`` is that of the fusion, and ``metadata[score]`` what the result had in its list.
    """
    if len(found) < 2:
        return [result for each in found.values() for result in each]
    kept = {
        name: [replace(one, metadata={**one.metadata, score: one.score}) for one in each]
        for name, each in found.items()
    }
    return reciprocal_rank_fusion(kept)


def _identity(result: DocumentWithScore) -> tuple[str, str]:
    if "chunk_id" in result.metadata:
        return str(result.metadata.get("collection", "")), str(result.metadata["chunk_id"])
    return "", result.text
