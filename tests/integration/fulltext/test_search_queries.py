"""What a query may hold: nothing is an error of the server, and very many words are cut."""

from __future__ import annotations

import logging

import pytest

from include.errors import InputError
from include.fulltext.search import DocumentSearch
from include.settings import Settings
from tests.integration.fulltext.library import Library
from tests.integration.fulltext.six_documents import ids
from tests.unit.fulltext.endpoint import endpoint, says, sends


@pytest.mark.parametrize(
    "query",
    [
        "the of and to",
        "これは何ですか",
        "무엇인가요",
        "什么是",
        "?!…",
        "*",
        "kettle AND (",
        "\x00\x1b",
        "🎒",
        "\ud83d",
        '"',
    ],
)
def test_no_query_is_an_error_of_elasticsearch(shared: Library, reading: DocumentSearch, query: str) -> None:
    if query == "\x00\x1b":
        with pytest.raises(InputError, match="empty"):
            reading.search(query, collections=[shared.collection])
    else:
        reading.search(query, collections=[shared.collection])


@pytest.mark.parametrize("part", ["登山リュック", "kettle", "rope and tent ", "가방을 ", "羽绒服", "の", "!", "\ud800"])
def test_nor_is_one_of_10_000_characters_or_more(shared: Library, reading: DocumentSearch, part: str) -> None:
    query = (part * 20_000)[:20_000]
    found = reading.search(query, collections=[shared.collection], top_k=100)
    if part in {"登山リュック", "rope and tent ", "가방을 "}:
        assert found


def test_10_000_different_words_are_cut_to_the_first_keywords(
    shared: Library, reading: DocumentSearch, caplog: pytest.LogCaptureFixture
) -> None:
    with caplog.at_level(logging.INFO, "include.fulltext"):
        found = reading.search("kettle " + " ".join(f"w{n}" for n in range(3000)), collections=[shared.collection])
    assert ids(found) == ["kettle"]
    assert f"the first {shared.settings.fulltext_max_keywords} are searched for" in caplog.text


def test_a_language_model_names_the_keywords_and_when_it_fails_the_analysis_does(shared: Library) -> None:
    with endpoint(says({"nouns": ["kettle"]}), sends("broken", 500)) as asked:
        settings = Settings(
            **{**shared.settings.model_dump(), "fulltext_llm_url": asked.url, "fulltext_llm_model": "small"}
        )
        with DocumentSearch(settings, faults="strict") as search:
            assert ids(search.search("what whistles?", collections=[shared.collection])) == ["kettle"]
            assert ids(search.search("citric acid", collections=[shared.collection])) == ["kettle"]
            assert len(asked.asked) == 3
