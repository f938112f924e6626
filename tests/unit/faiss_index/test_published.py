"""The files that readers outside open."""

from __future__ import annotations

import os
from datetime import date
from pathlib import Path

import pytest

from include.errors import InputError
from include.faiss_index.published import PublishedFiles
from include.faiss_index.storage import seal

MONDAY, TUESDAY = date(2026, 11, 23), date(2026, 11, 24)


def index(folder: Path, text: str) -> Path:
    path = folder / f"{text}.faiss"
    path.write_text(text)
    seal(path)
    return path


def test_the_served_file_is_replaced_and_the_one_before_is_backed_up_under_its_day(tmp_path: Path) -> None:
    files = PublishedFiles(tmp_path / "out", "muse_vibe")
    first, second = index(tmp_path, "first"), index(tmp_path, "second one")
    files.prepare(first, MONDAY)
    files.serve(first, previous_day=None)
    opened = files.served.open()
    files.prepare(second, TUESDAY)
    assert files.served.read_text() == "first"
    files.serve(second, previous_day=MONDAY)
    assert files.served.read_text() == "second one"
    assert opened.read() == "first"  # who has it open reads on
    assert (tmp_path / "out" / "muse_vibe_20261123.index").read_text() == "first"
    assert (tmp_path / "out" / "muse_vibe_20261124.index").read_text() == "second one"
    assert (tmp_path / "out" / "backup" / "muse_vibe_20261123.index").read_text() == "first"


def test_no_bytes_are_copied_and_none_can_be_written_through_a_link(tmp_path: Path) -> None:
    files = PublishedFiles(tmp_path / "out", "muse_vibe")
    first = index(tmp_path, "first")
    files.serve(first, previous_day=None)
    assert files.served.samefile(first)
    assert files.served.stat().st_mode & 0o222 == 0


def test_where_files_cannot_be_linked_they_are_copied(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def no_links(*arguments: object) -> None:
        raise OSError(18, "Invalid cross-device link")

    monkeypatch.setattr(os, "link", no_links)
    files = PublishedFiles(tmp_path / "out", "muse_vibe")
    first = index(tmp_path, "first")
    files.prepare(first, MONDAY)
    files.serve(first, previous_day=None)
    assert files.served.read_text() == "first"
    assert not files.served.samefile(first)
    assert files.serves(first)
    assert list((tmp_path / "out").glob(".*")) == []
    stat = files.served.stat()
    files.served.chmod(0o644)
    files.served.write_text("FIRST")
    os.utime(files.served, ns=(stat.st_atime_ns, stat.st_mtime_ns))
    assert not files.serves(first)  # as long and as old, but other bytes


def test_a_file_of_somebody_else_is_backed_up_under_the_day_it_was_written(tmp_path: Path) -> None:
    files = PublishedFiles(tmp_path / "out", "muse_vibe")
    files.folder.mkdir()
    files.served.write_text("made by hand")
    os.utime(files.served, (1_700_000_000, 1_700_000_000))
    files.serve(index(tmp_path, "first"), previous_day=None)
    backup = tmp_path / "out" / "backup" / "muse_vibe_20231114.index"
    assert backup.read_text() == "made by hand"


def test_only_the_newest_files_of_this_index_stay(tmp_path: Path) -> None:
    files = PublishedFiles(tmp_path, "muse_lyrics")
    for day in (1, 2, 3):
        (tmp_path / f"muse_lyrics_2026110{day}.index").touch()
        (tmp_path / f"muse_lyrics_3_2026110{day}.index").touch()
    files.prune(2)
    assert sorted(path.name for path in tmp_path.glob("muse_lyrics_2*")) == [
        "muse_lyrics_20261102.index",
        "muse_lyrics_20261103.index",
    ]
    assert len(list(tmp_path.glob("muse_lyrics_3_*"))) == 3


def test_a_file_just_written_for_an_early_day_stays(tmp_path: Path) -> None:
    files = PublishedFiles(tmp_path, "muse_vibe")
    for day in (1, 2, 3):
        files.dated(date(2026, 11, day)).touch()
    files.prune(2, {files.dated(date(2026, 11, 1))})
    assert len(list(tmp_path.iterdir())) == 3


def test_a_file_that_was_never_served_can_be_withdrawn_and_another_one_not(tmp_path: Path) -> None:
    files = PublishedFiles(tmp_path / "out", "muse_vibe")
    first, second = index(tmp_path, "first"), index(tmp_path, "second one")
    files.prepare(second, MONDAY)
    files.withdraw(first, MONDAY)
    assert files.dated(MONDAY).exists()
    files.withdraw(second, MONDAY)
    assert not files.dated(MONDAY).exists()


def test_of_a_damaged_version_no_dated_file_and_no_backup_is_left(tmp_path: Path) -> None:
    files = PublishedFiles(tmp_path / "out", "muse_vibe")
    first, second = index(tmp_path, "first"), index(tmp_path, "second one")
    files.prepare(second, MONDAY)
    files.serve(second, previous_day=None)
    files.serve(first, previous_day=MONDAY)
    files.prepare(first, TUESDAY)
    assert files.backup(MONDAY).samefile(second)
    files.withdraw(second)
    assert not files.dated(MONDAY).exists()
    assert not files.backup(MONDAY).exists()
    assert files.dated(TUESDAY).exists()


@pytest.mark.parametrize("name", ["", "../muse", "muse.vibe", "muse vibe"])
def test_a_name_that_could_leave_the_folder_is_refused(tmp_path: Path, name: str) -> None:
    with pytest.raises(InputError, match="cannot name a published index"):
        PublishedFiles(tmp_path, name)
