"""Which collections are searched, for whom, and what they hold by now."""

from __future__ import annotations

import json

import pytest

from include.elastic.index_generations import IndexGenerations
from include.elastic.mappings import KEYWORD_MAPPING
from include.errors import ContractError, InputError
from include.fulltext import cluster
from include.fulltext.search import DocumentSearch
from tests.integration.fulltext.library import Library
from tests.integration.fulltext.six_documents import DOCUMENTS, ids, seed


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
