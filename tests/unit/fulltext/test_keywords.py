"""What a query is searched by, and what stands in when a maker has nothing to say."""

from __future__ import annotations

import logging

import pytest
from elasticsearch import Elasticsearch

from include.errors import InputError, ServiceUnavailable
from include.fulltext.analysis import named
from include.fulltext.keywords import AnalyzeKeywords, Chain, RawQuery
from include.fulltext.search import QUERY_CHARACTERS, clean
from include.fulltext.stop_words import stop_words


class Says:
    """A maker that answers always the same."""

    def __init__(self, name: str, answer: list[str] | Exception) -> None:
        self.name, self.answer = name, answer

    def keywords(self, query: str) -> list[str]:
        if isinstance(self.answer, Exception):
            raise self.answer
        return self.answer


@pytest.fixture
def own_tokens() -> AnalyzeKeywords:
    """Of an index whose tokens the client makes: nothing is asked of the server, which is not there."""
    return AnalyzeKeywords(Elasticsearch("http://127.0.0.1:1"), "index", named("tokens"), stop_words())


def test_the_first_that_has_keywords_is_taken() -> None:
    assert Chain([Says("a", ["tent"]), Says("b", ["rope"])]).keywords("q") == ["tent"]


def test_what_fails_or_finds_nothing_is_passed_over_with_its_reason(caplog: pytest.LogCaptureFixture) -> None:
    chain = Chain([Says("first", ServiceUnavailable("It is down.")), Says("second", []), RawQuery()])
    with caplog.at_level(logging.INFO):
        assert chain.keywords("the query") == ["the query"]
    assert [record.getMessage() for record in caplog.records] == [
        "no keywords by first: It is down.",
        "no keywords by second: it finds only stop words, or nothing",
    ]
    assert [record.levelname for record in caplog.records] == ["WARNING", "INFO"]


def test_own_tokens_need_no_server(own_tokens: AnalyzeKeywords) -> None:
    assert own_tokens.keywords("軽い登山リュックの選び方") == ["軽い", "登山", "リュック", "選び"]


def test_of_only_stop_words_the_raw_query_is_left(own_tokens: AnalyzeKeywords) -> None:
    assert Chain([own_tokens, RawQuery()]).keywords("to be or not to be") == ["to be or not to be"]


def test_a_query_is_cleaned_of_what_cannot_be_sent() -> None:
    assert clean(" tent\x00\x1b[31m\ud800rope\u2028 ") == "tent  [31m?rope"
    assert len(clean("x" * 50_000)) == QUERY_CHARACTERS


@pytest.mark.parametrize("query", ["", " \n", "\x00\x07"])
def test_an_empty_query_is_refused(query: str) -> None:
    with pytest.raises(InputError, match="The query is empty"):
        clean(query)
