"""Documents into a collection on a real Elasticsearch, and out of it."""

from __future__ import annotations

import json
import logging
from datetime import UTC, datetime
from typing import Any

import pyarrow.parquet as pq
import pytest

from include.elastic.index_generations import IndexGenerations
from include.elastic.mappings import KEYWORD_MAPPING
from include.errors import ContractError, GateFailed, InputError
from include.fulltext.chunk_file import write_chunk_file
from include.fulltext.places import chunk_file
from tests.integration.fulltext.library import Library
from tests.integration.runs import new_run

TENT = "二人用のテントです。\n" + "雨の日でも安心して眠れます。" * 8
KETTLE = "A kettle for two cups. " * 12
BAG = "방수 등산가방을 추천합니다. " * 10


def day(number: int) -> datetime:
    return datetime(2026, 3, number, tzinfo=UTC)


def seed(library: Library) -> None:
    library.write({"ja/tent.md": f"# テント\n{TENT}", "en/kettle.txt": KETTLE, "ko/bag.txt": BAG})


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


def test_documents_that_the_input_has_not_stay_unless_they_are_to_go(library: Library) -> None:
    seed(library)
    library.index()
    (library.folder / "documents" / "ja" / "tent.md").unlink()
    assert library.index()["deleted"] == 0
    assert len(library.documents()) == 3
    assert library.index(delete_missing=True)["deleted"] == 1
    assert set(library.documents()) == {"en/kettle.txt", "ko/bag.txt"}


def test_a_folder_that_was_emptied_by_mistake_deletes_nothing(library: Library) -> None:
    seed(library)
    library.index()
    for name in ("ja/tent.md", "ko/bag.txt"):
        (library.folder / "documents" / name).unlink()
    with pytest.raises(GateFailed, match=r"lacks 2 of the 3 documents .* min_share 0"):
        library.index(delete_missing=True)
    assert len(library.documents()) == 3
    assert library.index(delete_missing=True, min_share=0)["deleted"] == 2


def test_nothing_is_deleted_for_not_being_there_when_some_could_not_be_read(library: Library) -> None:
    library.write({"a.jsonl": '{"id": "a", "text": "A"}\n{"id": "b", "text": "B"}\n'})
    library.index()
    library.write({"a.jsonl": '{"id": "a", "text": "A"}\n{"id": "b", "text": \n'})
    summary = library.index(delete_missing=True)
    assert summary["deleted"] == 0
    assert summary["counts"]["skipped"] == {"unchanged": 1, "not_json": 1}
    assert summary["for_example"][0].startswith("a.jsonl#1: not_json: ")
    assert set(library.documents()) == {"a", "b"}


def test_deleting_tells_what_was_there_and_what_not(library: Library) -> None:
    seed(library)
    library.index()
    found = library.delete("ja/tent.md", "nothing", "x" * 600)
    assert (found["deleted"], found["missing"], found["documents"]) == (1, 2, 2)
    assert "ja/tent.md" not in library.documents()
    assert library.index()["counts"]["written"] == 1  # a later run has it in its input again
    assert len(library.documents()) == 3


def test_a_missing_collection_is_an_error_and_none_is_made(library: Library) -> None:
    with pytest.raises(InputError, match=f"no collection '{library.collection}'"):
        library.delete("a")
    with pytest.raises(InputError, match=f"no collection '{library.collection}'"):
        write_chunk_file(library.collection, library.settings)
    assert library.served() is None


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


@pytest.mark.parametrize("changed", [{"chunk_size": 60}, {"analysis": "standard"}, {"rebuild": True}])
def test_another_way_to_cut_or_to_read_fills_a_new_index_beside_the_served_one(
    library: Library, changed: dict[str, Any]
) -> None:
    seed(library)
    first = library.index()
    second = library.index(**changed)
    assert second["generation"] != first["generation"] == second["previous"]
    assert second["counts"]["written"] == 3
    assert second["gate"] == {"documents": 3, "checked": 3}
    assert library.generations() == [first["generation"], second["generation"]]
    with library.client() as client:
        assert IndexGenerations(client, library.collection).rollback() == first["generation"]
    assert library.find("등산")


def test_a_new_index_of_much_less_than_is_served_is_refused(library: Library) -> None:
    seed(library)
    first = library.index()
    only = library.write({"one.txt": "one"}, "other")
    with pytest.raises(GateFailed, match="has 1 rows, served are 3"):
        library.index(input=str(only), rebuild=True)
    assert library.served() == first["generation"]
    assert library.index(input=str(only), rebuild=True, min_share=0)["documents"] == 1


def test_auto_goes_on_with_the_analysis_of_the_served_index(library: Library) -> None:
    seed(library)
    first = library.index(analysis="standard")
    second = library.index()
    assert second["generation"] == first["generation"]
    assert second["analysis"]["kind"] == "standard"


def test_an_analyzer_that_the_cluster_lacks_is_an_error_only_when_asked_for(library: Library) -> None:
    seed(library)
    with pytest.raises(InputError, match="has no analyzer 'ik_max_word'"):
        library.index(analysis="ik")
    assert library.served() is None
    assert library.index(language="ja")["analysis"]["kind"] == "tokens"


def test_an_older_day_neither_replaces_nor_brings_back_what_a_later_day_has_settled(library: Library) -> None:
    first, second = library.write({"a.txt": "one", "b.txt": "b"}, "d1"), library.write({"a.txt": "two"}, "d2")
    third = library.write({"a.txt": "one", "c.txt": "c"}, "d3")
    library.index(input=str(first), date=day(1))
    library.index(input=str(third), date=day(3))  # finds `a` unchanged
    library.delete("b.txt", date=day(4))
    late = library.index(input=str(second), date=day(2))
    assert late["counts"]["skipped"] == {"older": 1}
    assert library.texts()["a.txt"] == "one"
    again = library.index(input=str(first), date=day(1))
    assert again["counts"] == {"read": 2, "written": 0, "skipped": {"older": 2}, "dead": 0}
    assert set(library.documents()) == {"a.txt", "c.txt"}


def test_days_that_were_left_out_are_filled_in_any_order(library: Library) -> None:
    days = {
        number: library.write({f"{number}.txt": "x", "all.txt": f"day {number}"}, f"d{number}") for number in (1, 2, 3)
    }
    for number in (3, 1, 2, 2):
        library.index(input=str(days[number]), date=day(number))
    assert library.texts() == {"1.txt": "x", "2.txt": "x", "3.txt": "x", "all.txt": "day 3"}


def test_a_run_that_is_older_than_what_was_written_builds_no_new_index(library: Library) -> None:
    seed(library)
    library.index(date=day(1))
    library.write({"en/kettle.txt": "new"})
    library.index(date=day(3))
    with pytest.raises(ContractError, match="A later run has written"):
        library.index(date=day(2), rebuild=True)
    assert library.texts()["en/kettle.txt"] == "new"


def test_the_same_run_again_changes_nothing(library: Library) -> None:
    seed(library)
    run = new_run()
    first = library.index(run)
    again = library.index(run)
    assert again["counts"]["skipped"] == {"unchanged": 3}
    assert again["generation"] == first["generation"]
    assert library.index(run, rebuild=True)["generation"] == first["generation"]


def test_of_two_documents_of_one_id_the_first_is_taken_and_the_other_told(library: Library) -> None:
    library.write({"a.jsonl": '{"id": "a", "text": "first"}\n{"id": "a", "text": "second"}\n'})
    summary = library.index()
    assert summary["counts"] == {"read": 2, "written": 1, "skipped": {"duplicate": 1}, "dead": 0}
    assert library.texts() == {"a": "first"}


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
