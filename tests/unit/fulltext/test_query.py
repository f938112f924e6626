"""What Elasticsearch is asked."""

from __future__ import annotations

from typing import Any

import pytest

from include.errors import InputError
from include.fulltext.analysis import Analysis, named
from include.fulltext.query import TOKENS_IN_ALL, Terms, checked_top_k, filter_clauses, text_body

OWN, SERVERS = named("tokens"), named("cjk")


def inner(analysis: Analysis, keywords: list[str], **more: Any) -> dict[str, Any]:
    body = text_body(Terms.of(keywords, analysis), analysis, 5, None, **more)
    query: dict[str, Any] = body["query"]["bool"]["must"][0]["nested"]["query"]["bool"]
    return query


@pytest.mark.parametrize(("keywords", "least"), [(1, 1), (2, 1), (3, 2), (4, 3), (5, 4), (10, 8)])
def test_80_percent_of_the_keywords_rounded_down_must_be_there(keywords: int, least: int) -> None:
    query = inner(OWN, [f"word{number}" for number in range(keywords)])
    assert len(query["should"]) == keywords
    assert query["minimum_should_match"] == least


def test_a_keyword_may_stand_in_the_title_or_in_the_content() -> None:
    for analysis, fields in ((OWN, ("title_tokens", "content_tokens")), (SERVERS, ("title", "content"))):
        (clause,) = inner(analysis, ["リュック"])["should"]
        asked = [next(iter(part["match"])) for part in clause["dis_max"]["queries"]]
        assert asked == [f"chunks.{field}" for field in fields]


def test_a_keyword_without_a_letter_is_no_clause() -> None:
    assert len(inner(OWN, ["!!", "tent"])["should"]) == 1
    assert Terms.of(["…"], OWN).clauses == []


def test_never_more_clauses_than_any_elasticsearch_takes() -> None:
    keywords = [f"{number}" + "登山用品専門店" * 100 for number in range(1000)]
    for analysis in (OWN, SERVERS):
        terms = Terms.of(keywords, analysis)
        assert sum(len(text.split()) for clause in terms.clauses for text in clause) <= TOKENS_IN_ALL < 1024 / 2


def test_chinese_characters_are_also_searched_for_one_by_one_where_the_index_has_them() -> None:
    assert Terms.of(["選ぶ", "衣服"], OWN).clauses == [("選ぶ", "選"), ("衣服", "衣 服")]
    assert Terms.of(["選ぶ"], SERVERS).clauses == [("選ぶ", "")]


def test_they_are_marked_only_where_no_pair_is() -> None:
    terms = Terms.of(["衣服"], OWN)
    assert terms.marked("和服と衣服", "bigram") == ["和服と<em>衣服</em>"]
    assert terms.marked("服を選ぶ", "bigram") == ["<em>服</em>を選ぶ"]


def test_filters_are_of_the_document_and_only_by_what_is_indexed() -> None:
    assert filter_clauses({"chat_id": "7"}) == [{"term": {"metadata.chat_id": "7"}}]
    with pytest.raises(InputError, match="cannot be filtered by 'colour', only by chat_id and source"):
        filter_clauses({"colour": "red"})


@pytest.mark.parametrize("top_k", [0, -1, 101])
def test_more_or_less_than_elasticsearch_gives_is_refused(top_k: int) -> None:
    with pytest.raises(InputError, match="Give 1 to 100"):
        checked_top_k(top_k)
