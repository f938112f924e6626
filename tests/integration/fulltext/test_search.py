"""Documents found by their words, on a real Elasticsearch."""

from __future__ import annotations

import asyncio
import json
import logging
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any
from uuid import uuid4

import pytest

from include.elastic.index_generations import IndexGenerations
from include.elastic.mappings import KEYWORD_MAPPING
from include.errors import ContractError, InputError
from include.fulltext import cluster
from include.fulltext.async_search import AsyncDocumentSearch
from include.fulltext.results import DocumentWithScore
from include.fulltext.search import DocumentSearch
from include.settings import Settings
from tests.conftest import settings_in
from tests.integration.elasticsearch_server import ElasticsearchServer
from tests.integration.fulltext.library import Library
from tests.unit.fulltext.endpoint import endpoint, says, sends

DOCUMENTS = {
    "backpack": ("登山リュックの選び方", "雨の日には防水の登山リュックが安心です。背負いやすい形を選びましょう。", "a"),
    "umbrella": ("折りたたみ傘", "軽い折りたたみ傘を鞄に入れておくと、急な雨でも困りません。", "a"),
    "bag": ("등산가방", "방수 등산가방은 비 오는 날에도 젖지 않습니다. 가방을 고를 때 무게를 확인하세요.", "b"),
    "jacket": ("羽绒服的清洗", "清洗羽绒服时请使用中性洗涤剂，不要拧干。污渍可以先用湿布擦。", "b"),
    "tent": ("Pitching a tent", "Pitch the tent on flat ground. Check the pegs before the rain comes. " * 4, "b"),
    "kettle": ("Limescale", "Boil water with citric acid in the kettle & rinse it <twice>.", "c"),
}


def seed(library: Library, documents: dict[str, tuple[str, str, str]] = DOCUMENTS, **values: Any) -> Library:
    lines = [
        json.dumps(
            {"id": name, "title": title, "text": text, "metadata": {"chat_id": chat, "author": f"author of {name}"}}
        )
        for name, (title, text, chat) in documents.items()
    ]
    library.write({"all.jsonl": "\n".join(lines)})
    assert library.index(**{"chunk_size": 200, **values})["counts"]["written"] == len(documents)
    return library


@pytest.fixture
def seeded(library: Library) -> Library:
    """A collection of the test's own."""
    return seed(library)


@pytest.fixture(scope="module")
def shared(elasticsearch: ElasticsearchServer, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Library]:
    """The same, for tests that only read."""
    folder = tmp_path_factory.mktemp("library")
    settings = settings_in(folder).model_copy(update={"es_url": elasticsearch.service.url})
    library = Library(settings, folder, f"library-{uuid4().hex[:8]}")
    yield seed(library, language="any", analysis="auto", model="minilm")
    library.drop()


@pytest.fixture
def search(library: Library) -> Iterator[DocumentSearch]:
    with DocumentSearch(library.settings, faults="strict") as search:
        yield search


@pytest.fixture(scope="module")
def reading(shared: Library) -> Iterator[DocumentSearch]:
    with DocumentSearch(shared.settings, faults="strict") as search:
        yield search


def ids(found: list[DocumentWithScore]) -> list[str]:
    return [one.metadata["document_id"] for one in found]


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


def test_a_chat_sees_its_own_documents_only(shared: Library, reading: DocumentSearch) -> None:
    asked = {"collections": [shared.collection], "top_k": 10}
    assert set(ids(reading.search("비 雨 rain", **asked))) == {"bag"} | {"backpack", "umbrella", "tent"}
    assert set(ids(reading.search("비 雨 rain", filters={"chat_id": "a"}, **asked))) == {"backpack", "umbrella"}
    assert reading.search("비 雨 rain", filters={"chat_id": "nobody"}, **asked) == []


def test_several_collections_are_asked_at_once_and_merged_by_their_ranks(library: Library, seeded: Library) -> None:
    other = Library(library.settings, library.folder / "other", f"{library.collection}-other")
    other.folder.mkdir()
    seed(other, {"stove": ("Stove", "A stove for the tent, never lit inside the tent.", "a")}, analysis="standard",
         input=str(other.folder / "documents"))  # fmt: skip
    try:
        with DocumentSearch(library.settings, faults="strict") as search:
            found = search.search("tent", collections=[library.collection, other.collection])
            assert {one.metadata["collection"] for one in found} == {library.collection, other.collection}
            assert [one.score for one in found] == sorted((one.score for one in found), reverse=True)
            alone = [search.search("tent", collections=[one.collection]) for one in (library, other)]
            assert {one.metadata["chunk_id"] for one in found[:2]} == {each[0].metadata["chunk_id"] for each in alone}
            assert [one.score for one in found[:2]] == [1 / 61] * 2  # whose BM25 is higher says nothing
            assert {one.metadata["bm25"] for one in found} == {one.score for each in alone for one in each}
            (stove,) = [one for one in found if one.metadata["collection"] == other.collection]
            assert stove.metadata["highlight"] == ["A stove for the <em>tent</em>, never lit inside the <em>tent</em>."]
    finally:
        other.drop()


def test_server_side_analysis_finds_keywords_by_the_server_and_marks_them(library: Library) -> None:
    seed(library, analysis="standard", chunk_size=200)
    with DocumentSearch(library.settings, faults="strict") as search:
        found = search.search("What about the kettle & the water?", collections=[library.collection])
        assert ids(found) == ["kettle"]
        assert found[0].metadata["highlight"] == [
            "Boil <em>water</em> with citric acid in the <em>kettle</em> &amp; rinse it &lt;twice&gt;."
        ]
        assert search.search("x" * 9_000 + " 山" * 500, collections=[library.collection]) == []


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


def test_a_collection_that_is_not_served_is_an_error_whatever_the_faults(shared: Library) -> None:
    for faults in ("soft", "strict"):
        with DocumentSearch(shared.settings, faults=faults) as search:
            with pytest.raises(InputError, match=r"No collection 'nowhere'.*embsearch fulltext index"):
                search.search("tent", collections=[shared.collection, "nowhere"])
            with pytest.raises(InputError, match="top_k"):
                search.search("tent", collections=[shared.collection], top_k=0)
            with pytest.raises(InputError, match="filtered"):
                search.search("tent", collections=[shared.collection], filters={"colour": "red"})


def test_an_index_of_something_else_is_refused(seeded: Library, search: DocumentSearch) -> None:
    name = f"{seeded.collection}-keywords"
    with seeded.client() as client:
        generations = IndexGenerations(client, name)
        generations.create(f"{name}__g1", KEYWORD_MAPPING, shards=1, replicas=0, bulk_load=False)
        generations.promote(f"{name}__g1")
        with pytest.raises(ContractError, match="holds no documents"):
            search.search("tent", collections=[name])
        client.indices.delete(index=f"{name}__g1")


def test_what_is_updated_or_deleted_is_found_no_more(seeded: Library, search: DocumentSearch) -> None:
    changed = {**DOCUMENTS, "kettle": ("Limescale", "Use a descaler and a brush.", "c")}
    seeded.write({"all.jsonl": "\n".join(
        json.dumps({"id": name, "title": title, "text": text, "metadata": {"chat_id": chat}})
        for name, (title, text, chat) in changed.items()
    )})  # fmt: skip
    seeded.index()
    assert search.search("citric", collections=[seeded.collection]) == []
    assert ids(search.search("descaler", collections=[seeded.collection])) == ["kettle"]
    seeded.delete("kettle")
    assert search.search("descaler", collections=[seeded.collection]) == []


def test_a_search_follows_the_collection_to_another_generation_and_another_analysis(
    seeded: Library, search: DocumentSearch, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert ids(search.search("tent", collections=[seeded.collection], top_k=1)) == ["tent"]
    monkeypatch.setattr(cluster, "KNOWN_SECONDS", 0.0)
    seeded.index(rebuild=True, analysis="standard")
    assert ids(search.search("tent", collections=[seeded.collection], top_k=1)) == ["tent"]


def test_nor_does_a_generation_that_is_gone_disturb(seeded: Library, search: DocumentSearch) -> None:
    search.search("tent", collections=[seeded.collection])
    before = seeded.served()
    seeded.index(rebuild=True)
    with seeded.client() as client:
        client.indices.delete(index=before)
    assert ids(search.search("tent", collections=[seeded.collection], top_k=1)) == ["tent"]


def test_a_language_model_names_the_keywords_and_when_it_fails_the_analysis_does(shared: Library) -> None:
    with endpoint(says({"nouns": ["kettle"]}), sends("broken", 500)) as asked:
        settings = Settings(
            **{**shared.settings.model_dump(), "fulltext_llm_url": asked.url, "fulltext_llm_model": "small"}
        )
        with DocumentSearch(settings, faults="strict") as search:
            assert ids(search.search("what whistles?", collections=[shared.collection])) == ["kettle"]
            assert ids(search.search("citric acid", collections=[shared.collection])) == ["kettle"]
            assert len(asked.asked) == 3


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
