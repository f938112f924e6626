"""Documents into a collection on a real Elasticsearch: what is written, skipped, and told of it."""

from __future__ import annotations

import json
import logging

import pyarrow.parquet as pq
import pytest

from include.elastic.index_generations import IndexGenerations
from include.elastic.mappings import KEYWORD_MAPPING
from include.errors import ContractError, InputError
from include.fulltext.chunk_file import write_chunk_file
from include.fulltext.places import chunk_file
from tests.integration.fulltext.library import Library
from tests.integration.fulltext.three_files import TENT, seed
from tests.integration.runs import new_run


def test_documents_become_searchable_chunks_with_title_and_metadata(library: Library) -> None:
    seed(library)
    summary = library.index()
    assert summary["counts"] == {"read": 3, "written": 3, "skipped": {}, "dead": 0}
    assert summary["documents"] == 3
    assert summary["analysis"] == {
        "kind": "tokens", "index_analyzer": "whitespace", "search_analyzer": "whitespace", "tokenizer": "bigram",
    }  # fmt: skip
    assert len(json.dumps(summary)) < 4096
    found = library.documents()["ja/tent.md"]
    assert found["title"] == "テント"
    assert found["metadata"] == {"source": "ja/tent.md"}
    assert [chunk["chunk_id"] for chunk in found["chunks"][:2]] == ["ja/tent.md:0", "ja/tent.md:1"]
    assert all(chunk["title"] == "テント" and len(chunk["content"]) <= 40 for chunk in found["chunks"])
    assert not any(key.endswith("_tokens") for chunk in found["chunks"] for key in chunk)
    assert library.texts()["ja/tent.md"] == TENT
    assert library.find("安心") == ["ja/tent.md"]
    assert library.find("등산가방") == ["ko/bag.txt"]
    assert library.find("Kettles") == ["en/kettle.txt"]
    assert library.find("テント") == ["ja/tent.md"]
    assert library.find("雨") == ["ja/tent.md"]


def test_only_what_has_changed_is_written(library: Library) -> None:
    seed(library)
    first = library.index()
    again = library.index()
    assert again["counts"] == {"read": 3, "written": 0, "skipped": {"unchanged": 3}, "dead": 0}
    assert (again["changed"], first["changed"]) == (False, True)
    assert again["generation"] == first["generation"]
    library.write({"ja/tent.md": "# 新しいテント\n軽い。", "en/lamp.txt": "A lamp."})
    third = library.index()
    assert third["counts"]["written"] == 2
    assert third["counts"]["skipped"] == {"unchanged": 2}
    assert library.texts()["ja/tent.md"] == "軽い。"
    assert len(library.documents()["ja/tent.md"]["chunks"]) == 1
    assert library.find("安心") == []


def test_metadata_alone_make_a_document_another_one(library: Library) -> None:
    library.write(
        {"a.json": '{"id": "a", "title": "T", "text": "x", "metadata": {"chat_id": "one", "more": {"deep": [1]}}}'}
    )
    library.index()
    library.write(
        {"a.json": '{"id": "a", "title": "T", "text": "x", "metadata": {"chat_id": "two", "more": {"deep": "b"}}}'}
    )
    assert library.index()["counts"]["written"] == 1
    assert library.documents()["a"]["metadata"] == {"source": "a.json", "chat_id": "two", "more": {"deep": "b"}}
    with library.client() as client:
        hits = client.search(index=library.collection, query={"term": {"metadata.chat_id": "two"}})["hits"]["hits"]
    assert [hit["_id"] for hit in hits] == ["a"]


def test_a_document_without_text_is_skipped_and_what_it_had_before_is_found_no_more(
    library: Library, caplog: pytest.LogCaptureFixture
) -> None:
    seed(library)
    library.index()
    library.write({"ja/tent.md": "# テント\n \n", "en/new.txt": ""})
    with caplog.at_level(logging.INFO):
        summary = library.index()
    assert summary["counts"]["skipped"] == {"empty": 2, "unchanged": 2}
    assert "ja/tent.md: No content to index" in caplog.text
    assert summary["deleted"] == 1
    assert set(library.documents()) == {"en/kettle.txt", "ko/bag.txt"}


def test_of_two_documents_of_one_id_the_first_is_taken_and_the_other_told(library: Library) -> None:
    library.write({"a.jsonl": '{"id": "a", "text": "first"}\n{"id": "a", "text": "second"}\n'})
    summary = library.index()
    assert summary["counts"] == {"read": 2, "written": 1, "skipped": {"duplicate": 1}, "dead": 0}
    assert library.texts() == {"a": "first"}


def test_the_same_run_again_changes_nothing(library: Library) -> None:
    seed(library)
    run = new_run()
    first = library.index(run)
    again = library.index(run)
    assert again["counts"]["skipped"] == {"unchanged": 3}
    assert again["generation"] == first["generation"]
    assert library.index(run, rebuild=True)["generation"] == first["generation"]


def test_an_index_of_something_else_is_left_alone(library: Library) -> None:
    seed(library)
    with library.client() as client:
        name = f"{library.collection}__20260101t000000000-00000000"
        generations = IndexGenerations(client, library.collection)
        generations.create(name, KEYWORD_MAPPING, shards=1, replicas=0, bulk_load=False, meta={"kind": "keywords"})
        generations.promote(name)
    with pytest.raises(ContractError, match="which holds keywords, not documents"):
        library.index()
    with pytest.raises(ContractError, match="which holds keywords, not documents"):
        library.delete("a")


def test_the_chunk_file_has_each_text_once_and_changes_only_with_the_texts(library: Library) -> None:
    library.write({"a.txt": "same", "b.txt": "same", "c.txt": "other"})
    library.index()
    first = write_chunk_file(library.collection, library.settings, run_key="run")
    assert (first["changed"], first["chunks"], first["texts"]) == (True, 3, 2)
    path = chunk_file(library.settings, library.collection)
    table = pq.read_table(path)
    assert sorted(table["content"].to_pylist()) == ["other", "same"]
    assert table["chunk_number"].to_pylist() == [0, 1]
    stamp = path.stat().st_mtime_ns
    library.delete("b.txt")
    assert not write_chunk_file(library.collection, library.settings, run_key="next")["changed"]
    assert path.stat().st_mtime_ns == stamp
    library.delete("a.txt")
    killed = write_chunk_file(library.collection, library.settings, run_key="killed")
    again = write_chunk_file(library.collection, library.settings, run_key="killed")
    assert (killed["changed"], again["changed"], again["texts"]) == (True, True, 1)
    library.delete("c.txt")
    with pytest.raises(InputError, match="has no chunk"):
        write_chunk_file(library.collection, library.settings)


def test_chunks_are_counted_in_tokens_only_where_the_model_is_deployed(library: Library) -> None:
    seed(library)
    with pytest.raises(InputError, match="ruri_v3, which is not deployed in"):
        library.index(chunk_unit="tokens", model="ruri_v3")
    assert library.index(chunk_unit="auto", model="ruri_v3")["chunking"]["unit"] == "characters"
