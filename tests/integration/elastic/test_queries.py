"""The queries that users have, on a small link index."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from elasticsearch import Elasticsearch

from include.elastic.bulk import BulkWriter
from include.elastic.document_id import document_id
from include.elastic.documents import Document
from include.elastic.index_generations import IndexGenerations
from include.elastic.mappings import LINK_MAPPING

LINKS = {
    "贅沢 登山リュック M": [("便利な 登山", 0.93), ("ファッション 便利な 登山", 0.71), ("鞄", 0.42)],
    "軽い 登山靴 L": [("登山 靴", 0.88), ("便利な 登山", 0.64)],
    "Classic Desk Lamp": [("desk lamp", 0.97), ("office light", 0.58)],
    "Small Floor Lamp": [("floor lamp", 0.96), ("desk lamp", 0.55)],
    "長い名前" * 200: [("鞄", 0.31)],
}


@pytest.fixture
def index(es_client: Elasticsearch, alias: str, dead_letters: Path) -> str:
    """The alias of a promoted link index."""
    generations = IndexGenerations(es_client, alias)
    name = f"{alias}__g1"
    generations.create(name, LINK_MAPPING, shards=1, replicas=0, bulk_load=True)
    counts = BulkWriter(es_client, name, run_id="run", dead_letters=dead_letters).write(
        Document(document_id(product), {"product_name": product, "keywords": linked(product)}) for product in LINKS
    )
    assert counts.indexed == len(LINKS)
    generations.finalise(name)
    generations.promote(name)
    return alias


def linked(product: str) -> list[dict[str, Any]]:
    ids = {keyword: number for number, keyword in enumerate(sorted({k for links in LINKS.values() for k, _ in links}))}
    return [{"keyword": keyword, "keyword_id": ids[keyword], "score": score} for keyword, score in LINKS[product]]


def names(answer: Any) -> list[str]:
    return [hit["_source"]["product_name"] for hit in answer["hits"]["hits"]]


def nested(query: dict[str, Any], **more: Any) -> dict[str, Any]:
    return {"nested": {"path": "keywords", "query": query, **more}}


def test_match_on_the_product_name(es_client: Elasticsearch, index: str) -> None:
    assert names(es_client.search(index=index, query={"match": {"product_name": "desk"}})) == ["Classic Desk Lamp"]
    both = names(es_client.search(index=index, query={"match": {"product_name": "lamp"}}))
    assert sorted(both) == ["Classic Desk Lamp", "Small Floor Lamp"]
    best = names(es_client.search(index=index, query={"match": {"product_name": "登山リュック"}}))
    assert best[0] == "贅沢 登山リュック M"
    phrase = names(es_client.search(index=index, query={"match_phrase": {"product_name": "登山靴"}}))
    assert phrase == ["軽い 登山靴 L"]


def test_exact_product_name(es_client: Elasticsearch, index: str) -> None:
    for product in LINKS:
        assert names(es_client.search(index=index, query={"term": {"product_name.raw": product}})) == [product]


def test_nested_match_on_keywords(es_client: Elasticsearch, index: str) -> None:
    answer = es_client.search(index=index, query=nested({"match": {"keywords.keyword": "desk"}}))
    assert sorted(names(answer)) == ["Classic Desk Lamp", "Small Floor Lamp"]


def test_nested_term_on_the_raw_keyword(es_client: Elasticsearch, index: str) -> None:
    answer = es_client.search(index=index, query=nested({"term": {"keywords.keyword.raw": "便利な 登山"}}))
    assert sorted(names(answer)) == ["贅沢 登山リュック M", "軽い 登山靴 L"]


def test_match_and_score_must_hold_for_the_same_keyword(es_client: Elasticsearch, index: str) -> None:
    def found(keyword: str, least: float) -> list[str]:
        both = [{"match": {"keywords.keyword": keyword}}, {"range": {"keywords.score": {"gte": least}}}]
        return names(es_client.search(index=index, query=nested({"bool": {"must": both}})))

    assert found("desk", 0.9) == ["Classic Desk Lamp"]  # the floor lamp has a score of 0.96, but not for desk
    assert sorted(found("desk", 0.5)) == ["Classic Desk Lamp", "Small Floor Lamp"]
    assert found("desk", 0.98) == []


def test_inner_hits_tell_which_keywords_matched(es_client: Elasticsearch, index: str) -> None:
    query = nested({"match": {"keywords.keyword": "登山"}}, inner_hits={"size": 10})
    hits = es_client.search(index=index, query=query)["hits"]["hits"]
    matched = {
        hit["_source"]["product_name"]: {
            inner["_source"]["keyword"] for inner in hit["inner_hits"]["keywords"]["hits"]["hits"]
        }
        for hit in hits
    }
    assert matched["贅沢 登山リュック M"] == {"便利な 登山", "ファッション 便利な 登山"}
    assert matched["軽い 登山靴 L"] == {"登山 靴", "便利な 登山"}


def test_get_by_id_gives_the_keywords_best_first(es_client: Elasticsearch, index: str) -> None:
    for product in LINKS:
        source = es_client.get(index=index, id=document_id(product))["_source"]
        assert source == {"product_name": product, "keywords": linked(product)}
    assert es_client.get(index=index, id="贅沢 登山リュック M")["found"]


def test_count_counts_products_not_keywords(es_client: Elasticsearch, index: str) -> None:
    assert es_client.count(index=index)["count"] == len(LINKS)


def test_best_score_sorts_and_keyword_ids_aggregate(es_client: Elasticsearch, index: str) -> None:
    sort = [{"keywords.score": {"order": "desc", "mode": "max", "nested": {"path": "keywords"}}}]
    assert names(es_client.search(index=index, sort=sort, size=2)) == ["Classic Desk Lamp", "Small Floor Lamp"]
    inside = {"top": {"terms": {"field": "keywords.keyword.raw", "size": 1}}}
    answer = es_client.search(index=index, size=0, aggs={"all": {"nested": {"path": "keywords"}, "aggs": inside}})
    (bucket,) = answer["aggregations"]["all"]["top"]["buckets"]
    assert bucket["doc_count"] == 2


def test_an_unknown_field_is_refused(es_client: Elasticsearch, index: str, dead_letters: Path) -> None:
    writer = BulkWriter(es_client, index, run_id="run", dead_letters=dead_letters)
    extra = {"product_name": "x", "keywords": [{"keyword": "x", "keyword_id": 1, "score": 0.5, "rank": 1}]}
    assert writer.write([Document("x", extra)]).dead == 1
