"""Documents found by their words: which, in which order, and what a result tells."""

from __future__ import annotations

import asyncio
from concurrent.futures import ThreadPoolExecutor

import pytest

from include.fulltext.async_search import AsyncDocumentSearch
from include.fulltext.results import DocumentWithScore
from include.fulltext.search import DocumentSearch
from tests.integration.fulltext.library import Library
from tests.integration.fulltext.six_documents import DOCUMENTS, ids, seed


@pytest.mark.parametrize(
    ("query", "best"),
    [
        ("登山リュック", "backpack"),
        ("雨の日に安心なリュックの選び方は？", "backpack"),
        ("選ぶ", "backpack"),
        ("傘", "umbrella"),
        ("折り畳み傘 軽い", "umbrella"),
        ("등산가방을", "bag"),
        ("등산 가방 추천", "bag"),
        ("비", "bag"),
        ("羽绒服怎么清洗", "jacket"),
        ("污渍", "jacket"),
        ("How do I pitch tents?", "tent"),
        ("ＫＥＴＴＬＥＳ", "kettle"),
    ],
)
def test_words_phrases_and_questions_find_their_document_in_four_languages(
    shared: Library, reading: DocumentSearch, query: str, best: str
) -> None:
    assert ids(reading.search(query, collections=[shared.collection]))[0] == best


def test_a_result_tells_where_it_is_from_beside_the_metadata_of_its_document(
    shared: Library, reading: DocumentSearch
) -> None:
    (found,) = reading.search("limescale kettle", collections=[shared.collection])
    assert found.text == DOCUMENTS["kettle"][1]
    assert found.score > 0
    assert {key: value for key, value in found.metadata.items() if key != "highlight"} == {
        "recall_type": "fulltext_search", "collection": shared.collection, "document_id": "kettle",
        "chunk_id": "kettle:0", "title": "Limescale", "start": 0, "chat_id": "c", "source": "all.jsonl#5",
        "author": "author of kettle",
    }  # fmt: skip


def test_a_keyword_counts_in_the_title_and_in_the_content(shared: Library, reading: DocumentSearch) -> None:
    found = reading.search("limescale citric", collections=[shared.collection])
    assert ids(found) == ["kettle"]
    assert "relaxed" not in found[0].metadata


def test_what_matched_is_marked_and_the_rest_escaped(shared: Library, reading: DocumentSearch) -> None:
    (found,) = reading.search("rinse kettles", collections=[shared.collection])
    assert found.metadata["highlight"] == [
        "Boil water with citric acid in the <em>kettle</em> &amp; <em>rinse</em> it &lt;twice&gt;."
    ]


def test_less_than_80_percent_of_the_keywords_is_no_match_while_another_has_them(
    shared: Library, reading: DocumentSearch
) -> None:
    found = reading.search("citric acid water boil rope", collections=[shared.collection])
    assert ids(found) == ["kettle"]  # four of five
    found = reading.search("citric acid water flat ground", collections=[shared.collection], top_k=5)
    assert {one.metadata["document_id"] for one in found} == {"kettle", "tent"}  # three of five, two of five: relaxed
    assert all(one.metadata["relaxed"] for one in found)


def test_the_best_chunks_come_first_and_never_more_than_asked_for(library: Library) -> None:
    many = {
        f"d{number}": ("t", "rope " * (number + 1) + "and other things to fill the chunk", "a") for number in range(8)
    }
    seed(library, many)
    with DocumentSearch(library.settings, faults="strict") as search:
        everything = search.search("rope", collections=[library.collection], top_k=100)
        assert [one.score for one in everything] == sorted((one.score for one in everything), reverse=True)
        for top_k in (1, 3, 5):
            best = search.search("rope", collections=[library.collection], top_k=top_k)
            assert best == everything[:top_k]


def test_all_chunks_of_a_document_may_be_among_the_best(library: Library) -> None:
    seed(
        library,
        {"one": ("t", "".join(f"rope {number:04d} " for number in range(40)), "a"), "two": ("t", "peg", "a")},
        chunk_size=40,
    )
    with DocumentSearch(library.settings, faults="strict") as search:
        found = search.search("rope", collections=[library.collection], top_k=5)
    assert ids(found) == ["one"] * 5
    assert len({one.metadata["chunk_id"] for one in found}) == 5


def test_server_side_analysis_finds_keywords_by_the_server_and_marks_them(library: Library) -> None:
    seed(library, analysis="standard", chunk_size=200)
    with DocumentSearch(library.settings, faults="strict") as search:
        found = search.search("What about the kettle & the water?", collections=[library.collection])
        assert ids(found) == ["kettle"]
        assert found[0].metadata["highlight"] == [
            "Boil <em>water</em> with citric acid in the <em>kettle</em> &amp; rinse it &lt;twice&gt;."
        ]
        assert search.search("x" * 9_000 + " 山" * 500, collections=[library.collection]) == []


def test_an_event_loop_can_search_many_times_at_once(shared: Library) -> None:
    async def run() -> list[list[DocumentWithScore]]:
        async with AsyncDocumentSearch(shared.settings, faults="strict") as search:
            queries = ["kettle", "tent", "傘"] * 10
            return await asyncio.gather(*(search.search(q, collections=[shared.collection], top_k=1) for q in queries))

    found = asyncio.run(run())
    assert [ids(one) for one in found] == [["kettle"], ["tent"], ["umbrella"]] * 10


def test_threads_share_a_search(shared: Library, reading: DocumentSearch) -> None:
    def one(query: str) -> list[str]:
        return ids(reading.search(query, collections=[shared.collection], top_k=1))

    with ThreadPoolExecutor(8) as pool:
        assert list(pool.map(one, ["kettle", "傘"] * 20)) == [["kettle"], ["umbrella"]] * 20
