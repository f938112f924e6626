"""Figures of quality are those of the literature, computed by hand here."""

from __future__ import annotations

import math

import pytest

from include.fulltext.quality import (
    Quality,
    measured,
    ndcg_at,
    ranked_documents,
    recall_at,
    reciprocal_rank,
)
from include.fulltext.relevance import RelevantQuery
from include.fulltext.results import DocumentWithScore


def passage(document: str, score: float = 1.0) -> DocumentWithScore:
    return DocumentWithScore("text", score, {"document_id": document})


def test_several_passages_of_a_document_count_once_at_the_best_place() -> None:
    assert ranked_documents([passage("a"), passage("b"), passage("a"), passage("c")]) == ["a", "b", "c"]


def test_recall_is_the_share_of_relevant_documents_that_are_found() -> None:
    assert recall_at(["a", "x", "b"], {"a": 1, "b": 2, "c": 2}, 5) == pytest.approx(2 / 3)
    assert recall_at(["x", "a"], {"a": 2}, 1) == 0


def test_recall_reaches_one_even_when_more_documents_are_relevant_than_are_looked_at() -> None:
    assert recall_at(["a", "b"], {"a": 1, "b": 1, "c": 1}, 2) == 1


def test_reciprocal_rank_is_that_of_the_first_relevant_document_and_zero_beyond_the_depth() -> None:
    assert reciprocal_rank(["x", "y", "a", "b"], {"a": 1, "b": 2}, 10) == pytest.approx(1 / 3)
    assert reciprocal_rank(["x", "y", "a"], {"a": 1}, 2) == 0
    assert reciprocal_rank([], {"a": 1}, 10) == 0


def test_ndcg_is_one_for_the_best_order_and_less_for_another() -> None:
    relevant = {"answer": 2, "related": 1}
    assert ndcg_at(["answer", "related"], relevant, 10) == 1
    found = (1 / math.log2(2) + 3 / math.log2(3)) / (3 / math.log2(2) + 1 / math.log2(3))
    assert ndcg_at(["related", "answer"], relevant, 10) == pytest.approx(found)
    assert ndcg_at(["other"], relevant, 10) == 0


def test_means_are_by_language_and_of_all_queries_together() -> None:
    queries = [
        RelevantQuery("hit", "ja", {"a": 2}),
        RelevantQuery("miss", "ja", {"b": 2}),
        RelevantQuery("hit", "ko", {"a": 1}),
    ]

    def search(query: str, top_k: int) -> list[DocumentWithScore]:
        assert top_k == 10  # what users get: a search may look deeper when it is asked for more
        return [passage("a")] if query == "hit" else []

    found = measured(queries, search)
    assert list(found) == ["ja", "ko", "all"]
    assert found["ja"] == Quality(2, 0.5, 0.5, 0.5)
    assert found["ko"] == Quality(1, 1, 1, 1)
    assert found["all"] == Quality(3, 0.6667, 0.6667, 0.6667)
