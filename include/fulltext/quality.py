"""How good a search is: recall@k, reciprocal rank and nDCG of what it finds for the queries of a relevance set."""

from __future__ import annotations

import math
import statistics
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass

from include.fulltext.relevance import RelevantQuery
from include.fulltext.results import DocumentWithScore

RECALL_AT = 5
DEPTH = 10  # passages that are asked for, as users do; of their documents come the reciprocal rank and nDCG
ALL = "all"  # languages together, each query counting the same
MEASURES = ("recall", "mrr", "ndcg")

Search = Callable[[str, int], Sequence[DocumentWithScore]]  # query, top_k → passages, best first


@dataclass(frozen=True)
class Quality:
    """Means over queries, each from 0 to 1."""

    queries: int
    recall: float  # share of the relevant documents among the first RECALL_AT
    mrr: float  # 1 / rank of the first relevant document, 0 beyond DEPTH
    ndcg: float  # of the first DEPTH documents, by grades


def measured(queries: Sequence[RelevantQuery], search: Search) -> dict[str, Quality]:
    """The quality of ``search`` by language, and of :data:`ALL`."""
    scores: dict[str, list[tuple[float, float, float]]] = {}
    for query in queries:
        ranked = ranked_documents(search(query.query, DEPTH))
        score = (
            recall_at(ranked, query.relevant, RECALL_AT),
            reciprocal_rank(ranked, query.relevant, DEPTH),
            ndcg_at(ranked, query.relevant, DEPTH),
        )
        for name in (query.language, ALL):
            scores.setdefault(name, []).append(score)
    languages = [*sorted(name for name in scores if name != ALL), ALL]
    return {name: _means(scores[name]) for name in languages if name in scores}


def ranked_documents(results: Iterable[DocumentWithScore]) -> list[str]:
    """The ids of the documents in the order of their best passages."""
    return list(dict.fromkeys(str(result.metadata["document_id"]) for result in results))


def recall_at(ranked: Sequence[str], relevant: Mapping[str, int], k: int) -> float:
    """The share of the relevant documents that are among the first ``k``; of more than ``k`` the share of ``k``."""
    found = sum(document in relevant for document in ranked[:k])
    return found / min(k, len(relevant))


def reciprocal_rank(ranked: Sequence[str], relevant: Mapping[str, int], depth: int) -> float:
    """1 / the rank of the first relevant document, ranks from 1; 0 when none is among the first ``depth``."""
    return next((1 / rank for rank, document in enumerate(ranked[:depth], start=1) if document in relevant), 0.0)


def ndcg_at(ranked: Sequence[str], relevant: Mapping[str, int], k: int) -> float:
    """Normalised discounted cumulative gain of the first ``k``, with a gain of 2^grade - 1.

    Source: C. Burges et al., "Learning to rank using gradient descent", ICML 2005.
    """
    ideal = _discounted(sorted(relevant.values(), reverse=True)[:k])
    return _discounted([relevant.get(document, 0) for document in ranked[:k]]) / ideal


def _discounted(grades: Sequence[int]) -> float:
    return math.fsum((2**grade - 1) / math.log2(rank + 1) for rank, grade in enumerate(grades, start=1))


def _means(scores: Sequence[tuple[float, float, float]]) -> Quality:
    recall, mrr, ndcg = (round(statistics.fmean(column), 4) for column in zip(*scores, strict=True))
    return Quality(len(scores), recall, mrr, ndcg)
