"""Results of several runners become one list."""

from __future__ import annotations

import pytest

from include.errors import InputError
from include.fulltext.hybrid import HybridRunner
from include.fulltext.merge import best_of, merged, reciprocal_rank_fusion, union
from include.fulltext.results import FULLTEXT, GRAPH, SUMMARY, VECTOR, DocumentWithScore, Filters, Runner


def result(text: str, score: float = 1.0, recall_type: str = FULLTEXT, **metadata: object) -> DocumentWithScore:
    return DocumentWithScore(text, score, {"recall_type": recall_type, **metadata})


def chunk(name: str, recall_type: str = FULLTEXT) -> DocumentWithScore:
    return result(f"text of {name}", recall_type=recall_type, collection="c", chunk_id=name)


class GraphRunner:
    """Entities and what is said of them, held in memory."""

    def __init__(self, edges: dict[str, list[str]]) -> None:
        self.edges = edges

    def search(self, query: str, top_k: int, filters: Filters | None = None) -> list[DocumentWithScore]:
        said = [fact for entity, facts in self.edges.items() if entity in query for fact in facts]
        return [result(fact, 1.0 / rank, GRAPH) for rank, fact in enumerate(said[:top_k], start=1)]


class SummaryRunner:
    """Summaries of whole documents, held in memory."""

    def __init__(self, summaries: list[str]) -> None:
        self.summaries = summaries

    def search(self, query: str, top_k: int, filters: Filters | None = None) -> list[DocumentWithScore]:
        asked = set(query.split())
        scored = [(len(asked & set(text.split())), text) for text in self.summaries]
        best = sorted((pair for pair in scored if pair[0]), key=lambda pair: -pair[0])
        return [result(text, float(score), SUMMARY) for score, text in best[:top_k]]


def test_a_union_has_vector_then_full_text_then_graph_then_summary() -> None:
    found = {
        "other": [result("e")],
        "summary": [result("d", 9.0, SUMMARY)],
        "graph": [result("c", recall_type=GRAPH)],
        "fulltext": [result("b", 30.0)],
        "vector": [result("a", 0.4, VECTOR)],
    }
    assert [one.text for one in merged(found)] == ["a", "b", "c", "d", "e"]
    assert [one.metadata["recall_type"] for one in merged(found)][:4] == [VECTOR, FULLTEXT, GRAPH, SUMMARY]


def test_one_list_keeps_its_scores_and_several_are_ranked_by_place() -> None:
    a, b = ([result(f"{name}{score}", score) for score in (0.9, 0.8)] for name in "ab")
    assert best_of({}, score="cosine") == []
    assert best_of({"a": a}, score="cosine") == a
    found = best_of({"a": a, "b": b}, score="cosine")
    assert [one.text for one in found] == ["a0.9", "b0.9", "a0.8", "b0.8"]
    assert [(one.score, one.metadata["cosine"], one.metadata["ranks"]) for one in found] == [
        (1 / 61, 0.9, {"a": 1}), (1 / 61, 0.9, {"b": 1}), (1 / 62, 0.8, {"a": 2}), (1 / 62, 0.8, {"b": 2}),
    ]  # fmt: skip


def test_of_equal_texts_the_first_is_kept_unless_all_are_wanted() -> None:
    found = {"fulltext": [result("same", 7.0), result("other")], "vector": [result("same", 0.9, VECTOR)]}
    assert [(one.text, one.score) for one in union(found)] == [("same", 0.9), ("other", 1.0)]
    assert len(merged(found, deduplicate=False)) == 3


def test_an_unknown_strategy_is_refused_by_name() -> None:
    with pytest.raises(InputError, match="Unknown merge strategy 'average'. There are: union, rrf"):
        merged({}, "average")
    with pytest.raises(InputError, match="average"):
        HybridRunner({}, strategy="average")


def test_fusion_adds_the_reciprocals_of_the_ranks() -> None:
    found = {"vector": [chunk("a", VECTOR), chunk("b", VECTOR)], "fulltext": [chunk("b"), chunk("c")]}
    fused = reciprocal_rank_fusion(found)
    assert [one.metadata["chunk_id"] for one in fused] == ["b", "a", "c"]
    assert [one.score for one in fused] == pytest.approx([1 / 62 + 1 / 61, 1 / 61, 1 / 62])
    assert fused[0].metadata["ranks"] == {"vector": 2, "fulltext": 1}
    assert fused[0].metadata["recall_type"] == FULLTEXT


def test_a_runner_counts_by_its_weight_and_one_of_none_not_at_all() -> None:
    found = {"vector": [chunk("a")], "fulltext": [chunk("b")]}
    assert [one.metadata["chunk_id"] for one in reciprocal_rank_fusion(found, weights={"fulltext": 2.0})] == ["b", "a"]
    assert reciprocal_rank_fusion(found, weights={"vector": 0.0})[-1].score == 0
    for wrong in ({"vector": -1.0}, {"nobody": 1.0}):
        with pytest.raises(InputError, match="Fusion"):
            reciprocal_rank_fusion(found, weights=wrong)


def test_one_runner_cannot_vote_twice_for_a_chunk() -> None:
    fused = reciprocal_rank_fusion({"graph": [result("x"), result("x"), result("y")]})
    assert [(one.text, one.metadata["ranks"]) for one in fused] == [("x", {"graph": 1}), ("y", {"graph": 3})]


def test_equal_scores_are_in_the_order_of_the_runners() -> None:
    found = {"vector": [chunk("b"), chunk("d")], "fulltext": [chunk("a"), chunk("c")]}
    assert [one.metadata["chunk_id"] for one in reciprocal_rank_fusion(found)] == ["b", "a", "d", "c"]


def test_any_runner_can_be_merged_such_as_a_graph_and_summaries() -> None:
    runners: dict[str, Runner] = {
        "graph": GraphRunner({"tent": ["a tent is camping gear", "a tent needs pegs"]}),
        "summary": SummaryRunner(["all about a tent", "a book of soups"]),
    }
    hybrid = HybridRunner(runners)
    fused = hybrid.search("which tent", 2)
    assert {one.metadata["recall_type"] for one in fused} == {GRAPH, SUMMARY}
    assert [one.text for one in fused] == ["a tent is camping gear", "all about a tent"]
    union_of_both = HybridRunner(runners, strategy="union")
    assert len(union_of_both.search("which tent", 5)) == 3
    for one in (hybrid, union_of_both):
        one.close()


def test_results_of_one_runner_are_not_changed_by_the_merge() -> None:
    first = chunk("a")
    reciprocal_rank_fusion({"fulltext": [first]})
    assert "ranks" not in first.metadata


def test_the_best_of_few_are_the_best_of_more() -> None:
    vector = [chunk(name, VECTOR) for name in ("a", "b", "c", "both")]
    fulltext = [chunk(name) for name in ("d", "e", "f", "both")]

    class Listed:
        def __init__(self, found: list[DocumentWithScore]) -> None:
            self.found = found

        def search(self, query: str, top_k: int, filters: Filters | None = None) -> list[DocumentWithScore]:
            return self.found[:top_k]

    hybrid = HybridRunner({"vector": Listed(vector), "fulltext": Listed(fulltext)})
    everything = hybrid.search("q", 10)
    assert everything[0].metadata["chunk_id"] == "both"
    for top_k in range(1, 10):
        assert hybrid.search("q", top_k) == everything[:top_k]
    hybrid.close()
