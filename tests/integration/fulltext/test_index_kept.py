"""What a run may not take away: documents, later texts, the right to be indexed beside something odd."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterable
from datetime import UTC, datetime
from types import SimpleNamespace
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from airflow.sdk.exceptions import AirflowSkipException

from include.elastic.bulk import BulkCounts, BulkWriter
from include.elastic.documents import Document
from include.elastic.paging import every
from include.elastic.replay import replay
from include.errors import GateFailed
from include.fulltext import chunk_file as chunk_file_module
from include.fulltext import indexing
from include.fulltext.chunk_file import write_chunk_file
from include.fulltext.places import chunk_file
from search_ops.assets import DOCUMENT_CHUNKS
from search_ops.operators.fulltext import DocumentChunksOperator
from tests.integration.fulltext.library import Library
from tests.integration.runs import new_run


def march(day: int) -> datetime:
    return datetime(2026, 3, day, tzinfo=UTC)


def test_a_new_index_that_nobody_asked_for_drops_no_document(library: Library) -> None:
    library.write({"ja/tent.md": "x", "en/kettle.txt": "x", "ko/bag.txt": "x", "zh/none.txt": "x"})
    first = library.index()
    (library.folder / "documents" / "ja" / "tent.md").unlink()
    library.write({"zh/none.txt": ""})  # its text is gone because its owner says so
    with pytest.raises(GateFailed, match=r"another chunking.* 1 documents of .* for example \['ja/tent.md'\].*rebuild"):
        library.index(chunk_size=60)
    (library.folder / "documents" / "ko" / "bag.txt").write_bytes(b"\xff")  # set aside: what is served of it stays
    with pytest.raises(GateFailed, match=r"2 documents of .*'ko/bag.txt'"):
        library.index(chunk_size=60, min_share=0)
    assert library.served() == first["generation"]
    assert len(library.documents()) == 4
    assert library.index(chunk_size=60, rebuild=True, min_share=0)["documents"] == 1


def test_a_dead_letter_sent_again_replaces_nothing_that_a_later_run_has_settled(library: Library) -> None:
    few = library.settings.model_copy(update={"fulltext_max_chunks": 100})
    library.write({"back.txt": "old", "gone.txt": "old", "late.txt": "old"})
    Library(few, library.folder, library.collection).index(date=march(1))
    library.write(dict.fromkeys(("back.txt", "gone.txt", "late.txt"), "x y " * 3000))
    second = library.index(date=march(2))
    assert second["counts"]["dead"] == 3  # the index takes 100 chunks of a document
    library.write({"back.txt": "old", "gone.txt": "old"})
    (library.folder / "documents" / "late.txt").unlink()
    assert library.index(date=march(3))["counts"]["skipped"] == {"unchanged": 2}
    library.delete("gone.txt", date=march(4))
    with library.client() as client:
        mended = {"index.mapping.nested_objects.limit": 10_000, "index.gc_deletes": "0s"}
        client.indices.put_settings(index=library.collection, settings=mended)
        assert replay(client, library.settings, second["run"]) == BulkCounts(indexed=1, skipped={"older": 2})
    assert {name: text[:3] for name, text in library.texts().items()} == {"back.txt": "old", "late.txt": "x y"}


def test_days_and_missing_numbers_in_metadata_keep_no_index_from_being_served(library: Library) -> None:
    odd = pa.array([{"day": march(1), "rating": float("nan")}, {"day": None, "rating": 1.5}])
    table = pa.table({"id": ["a", "b"], "text": ["x", "y"], "metadata": odd})
    pq.write_table(table, library.folder / "a.parquet")
    summary = library.index(input=str(library.folder / "a.parquet"))
    assert summary["gate"] == {"documents": 2, "checked": 2}
    assert library.index(input=str(library.folder / "a.parquet"))["counts"]["skipped"] == {"unchanged": 2}


def test_long_documents_are_read_a_few_at_a_time(library: Library, monkeypatch: pytest.MonkeyPatch) -> None:
    library.write({f"{number}.txt": f"{number} " * 200 for number in range(10, 20)})
    library.index()
    pages: list[int] = []

    def told(client: Any, index: str, fields: Any, *, page: int) -> Any:
        pages.append(page)
        return every(client, index, fields, page=page)

    monkeypatch.setattr(chunk_file_module, "every", told)
    monkeypatch.setattr(chunk_file_module, "PAGE_CHARACTERS", 1500)
    summary = write_chunk_file(library.collection, library.settings)
    assert pages == [200, 2]
    assert pq.read_table(chunk_file(library.settings, library.collection)).num_rows == summary["texts"] > 20


def test_the_task_of_the_chunk_texts_is_skipped_when_the_collection_has_become_empty(library: Library) -> None:
    library.write({"a.txt": "One text."})
    library.index()
    library.delete("a.txt")
    operator = DocumentChunksOperator(task_id="chunks", outlets=[DOCUMENT_CHUNKS])
    operator.__dict__["settings"] = library.settings
    now = new_run().date
    run = SimpleNamespace(dag_id="index", run_id="manual", data_interval_end=None, run_after=now, conf={})
    context = {"dag_run": run, "params": library.parameters().model_dump(), "outlet_events": {}}
    with pytest.raises(AirflowSkipException, match=f"{library.collection} has no chunk.*Nobody is told"):
        operator.execute(context)


def test_figures_of_a_run_that_sends_all_again_are_those_of_the_first_sending(
    library: Library, monkeypatch: pytest.MonkeyPatch
) -> None:
    library.write({f"{number}.txt": f"Text {number} of some length, so that it has chunks." for number in range(4)})
    forgotten: list[str] = []

    class Forgetful(BulkWriter):
        """As a server that crashed: one of the documents that it has acknowledged is not there."""

        def write(self, documents: Iterable[Document]) -> BulkCounts:
            if forgotten:
                return super().write(documents)
            lost, *others = documents
            forgotten.append(lost.id)
            written = super().write(others)
            return dataclasses.replace(written, indexed=written.indexed + 1)

    monkeypatch.setattr(indexing, "BulkWriter", Forgetful)
    summary = library.index()
    assert forgotten
    assert summary["counts"]["written"] == summary["documents"] == 4
    assert summary["chunks"] == sum(len(one["chunks"]) for one in library.documents().values())
