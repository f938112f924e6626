"""Whoever may only start runs names no path outside of the folders that the settings list."""

from __future__ import annotations

import errno
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from include.catalog.index_types import INDEX_TYPES
from include.errors import FatalError, InputError
from include.fulltext.documents import Columns, SetAside
from include.fulltext.reading import read_documents
from include.fulltext.relevance import read_relevance_set
from include.music_index.folders import index_folder, training_input, training_output
from include.objects.locations import NotAllowed
from include.settings import PROJECT_ROOT, Settings, get_settings
from include.sources.files import find_input
from include.sources.roots import check_input, check_output
from include.vector_store.open import store_of
from search_ops.run_context import skip_without

SONG = INDEX_TYPES["song"]


@pytest.fixture
def inside(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, bare_settings: None) -> Path:
    """The only folder to read from; what is to be written goes to ``out`` beside it."""
    folder = tmp_path / "data"
    folder.mkdir()
    monkeypatch.setenv("EMBSEARCH_INPUT_ROOTS", f"/nowhere, {folder}")
    monkeypatch.setenv("EMBSEARCH_OUTPUT_ROOTS", str(tmp_path / "out"))
    monkeypatch.setenv("EMBSEARCH_STATE_DIR", str(tmp_path / "state"))
    get_settings.cache_clear()
    return folder


def documents(path: Path) -> Any:
    return list(read_documents(path, Columns(), max_bytes=1000))


READERS: dict[str, Callable[[Path], Any]] = {
    "keywords and products": find_input,
    "documents": documents,
    "relevance set": read_relevance_set,
    "trained indexes": lambda path: training_input(SONG, get_settings(), str(path)),
    "a day's file": lambda path: skip_without(str(path), "2026-11-16"),
}
WRITERS: dict[str, Callable[[Path], Any]] = {
    "trained indexes": lambda path: training_output(SONG, get_settings(), str(path)),
    "published indexes": lambda path: index_folder(SONG, get_settings(), str(path)),
    "engine in process": lambda path: store_of(get_settings(), f"edge:{path}").close(),
    "exact search": lambda path: store_of(get_settings(), f"exact:{path}").close(),
}


@pytest.mark.parametrize("reader", READERS)
@pytest.mark.parametrize("there", [True, False])
def test_an_input_elsewhere_is_refused_in_the_same_words_whether_it_is_there_or_not(
    inside: Path, reader: str, there: bool
) -> None:
    elsewhere = inside.parent / "secret.txt"
    if there:
        elsewhere.write_text("secret\n")
    with pytest.raises(NotAllowed) as refused:
        READERS[reader](elsewhere)
    assert str(elsewhere) in str(refused.value)
    assert f"outside of /nowhere, {inside} (EMBSEARCH_INPUT_ROOTS)" in str(refused.value)
    assert isinstance(refused.value, FatalError)  # it is not tried again


@pytest.mark.parametrize("reader", READERS)
def test_an_input_in_a_folder_that_is_closed_to_this_user_is_refused_for_good(
    inside: Path, monkeypatch: pytest.MonkeyPatch, reader: str
) -> None:
    """Root may enter every folder, so what the system would say to another user is played here."""

    def closed(path: Path, **_: Any) -> Any:
        raise PermissionError(errno.EACCES, "Permission denied", str(path))

    monkeypatch.setattr(Path, "stat", closed)
    with pytest.raises(InputError, match=f"may not enter the folder of {inside / 'tents.txt'}"):
        READERS[reader](inside / "tents.txt")


@pytest.mark.parametrize("writer", WRITERS)
def test_an_output_elsewhere_is_refused(inside: Path, writer: str) -> None:
    with pytest.raises(NotAllowed, match=r"EMBSEARCH_OUTPUT_ROOTS"):
        WRITERS[writer](inside)
    assert list(inside.iterdir()) == []
    WRITERS[writer](inside.parent / "out" / "below")


def test_what_lies_inside_is_read(inside: Path) -> None:
    text = inside / "keywords.md"
    text.write_text("tent\n")
    assert find_input(text) == text
    assert len(documents(inside)) == len(documents(text)) == 1
    assert training_input(SONG, get_settings(), str(inside)) == inside / "song"


def test_no_link_and_no_dots_lead_out(inside: Path) -> None:
    elsewhere = inside.parent / "elsewhere"
    elsewhere.mkdir()
    (elsewhere / "secret.md").write_text("secret\n")
    (inside / "folder").symlink_to(elsewhere)
    (inside / "link.md").symlink_to(elsewhere / "secret.md")
    for way in (inside / "folder" / "secret.md", inside / "link.md", inside / ".." / "elsewhere" / "secret.md"):
        with pytest.raises(NotAllowed):
            find_input(way)
    assert {type(found) for found in documents(inside)} == {SetAside}


def test_chunk_texts_that_the_project_wrote_are_read_by_the_run_that_makes_their_vectors(inside: Path) -> None:
    chunks = get_settings().documents_dir / "manuals" / "chunks.parquet"
    assert check_input(chunks) == chunks
    with pytest.raises(NotAllowed):
        check_input(get_settings().state_dir / "models")


def test_a_store_that_the_settings_name_is_opened_wherever_it_is(inside: Path) -> None:
    settings = Settings(qdrant_url=f"edge:{inside.parent / 'qdrant'}")
    store_of(settings, settings.qdrant_url).close()


def test_where_nothing_is_set_anything_may_be_named(bare_settings: None, tmp_path: Path) -> None:
    assert check_input(tmp_path) == check_output(tmp_path) == tmp_path
    assert check_input("samples/documents") == PROJECT_ROOT / "samples" / "documents"
