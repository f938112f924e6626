"""Documents out of a collection: those that are named, and those that the input has no more."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import pytest

from include.errors import GateFailed, InputError
from include.fulltext.chunk_file import write_chunk_file
from tests.integration.fulltext.library import Library
from tests.integration.fulltext.three_files import seed


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


@pytest.mark.parametrize("how", [{"delete_missing": True}, {"rebuild": True}])
def test_documents_in_a_folder_that_cannot_be_opened_stay(
    library: Library, how: dict[str, Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    seed(library)
    library.index()
    closed, scandir = library.folder / "documents" / "ko", os.scandir

    def denied(path: Path) -> Any:
        if Path(path) == closed:
            raise PermissionError(13, "Permission denied")
        return scandir(path)

    monkeypatch.setattr(os, "scandir", denied)
    with pytest.raises(InputError, match=rf"{closed}: Permission denied. 1 documents .*'ko/bag.txt'.* none is deleted"):
        library.index(**how, min_share=0)
    assert len(library.documents()) == 3
    summary = library.index()
    assert summary["counts"]["skipped"] == {"unchanged": 2, "not_readable": 1}
    assert summary["deleted"] == 0


def test_documents_behind_a_link_to_nothing_stay(library: Library) -> None:
    library.write({"a.txt": "A", "store/b.jsonl": '{"id": "b", "text": "B"}'})
    link = library.folder / "documents" / "b.jsonl"
    (library.folder / "documents" / "store").rename(library.folder / "documents" / ".store")
    link.symlink_to(".store/b.jsonl")
    assert library.index()["documents"] == 2
    (library.folder / "documents" / ".store" / "b.jsonl").unlink()
    with pytest.raises(InputError, match=rf"{link} \(a link to .store/b.jsonl\): No such file"):
        library.index(delete_missing=True, min_share=0)
    assert set(library.documents()) == {"a.txt", "b"}
    link.unlink()
    assert library.index(delete_missing=True, min_share=0)["deleted"] == 1


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
