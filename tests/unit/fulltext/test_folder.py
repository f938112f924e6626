"""All that stands below a folder of documents is read or set aside with its reason."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from include.fulltext.documents import SetAside
from include.fulltext.folder import files_below


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    root = tmp_path / "documents"
    (root / "b").mkdir(parents=True)
    for name in ("a.txt", "b/c.txt", "d.txt"):
        (root / name).write_text("text")
    return root


def told(root: Path) -> list[tuple[str, ...]]:
    return [
        (one.id, one.reason) if isinstance(one, SetAside) else (one.relative_to(root).as_posix(),)
        for one in files_below(root)
    ]


def aside(root: Path) -> SetAside:
    (found,) = [one for one in files_below(root) if isinstance(one, SetAside)]
    return found


def test_files_come_in_the_order_of_their_paths(folder: Path) -> None:
    assert told(folder) == [("a.txt",), ("b/c.txt",), ("d.txt",)]


def test_a_folder_that_cannot_be_opened_is_told_with_its_path(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    real: Callable[..., Any] = os.scandir

    def scandir(path: Path) -> Any:
        if Path(path) == folder / "b":
            raise PermissionError(13, "Permission denied", str(path))
        return real(path)

    monkeypatch.setattr(os, "scandir", scandir)
    assert told(folder) == [("a.txt",), ("b", "not_readable"), ("d.txt",)]
    assert aside(folder).detail == f"{folder / 'b'}: Permission denied"
    assert aside(folder).unread


@pytest.mark.parametrize("name", ["link", "link.md"])
def test_a_link_to_nothing_is_told_with_what_it_points_to(folder: Path, name: str) -> None:
    (folder / name).symlink_to("gone")
    assert (name, "not_readable") in told(folder)
    assert aside(folder).detail == f"{folder / name} (a link to gone): No such file or directory"
    assert aside(folder).unread


def test_links_that_lead_out_of_the_folder_are_not_read(folder: Path, tmp_path: Path) -> None:
    (tmp_path / "documents-secret").mkdir()
    (tmp_path / "documents-secret" / "key.txt").write_text("secret")
    (folder / "e.txt").symlink_to("../documents-secret/key.txt")
    (folder / "f").symlink_to(tmp_path / "documents-secret")
    found = told(folder)
    assert found[3:] == [("e.txt", "outside"), ("f", "outside")]


def test_links_inside_of_the_folder_are_followed_to_files_alone(folder: Path, tmp_path: Path) -> None:
    (folder / "e.txt").symlink_to("b/c.txt")
    (folder / "f").symlink_to("b")
    (folder / "g.txt").symlink_to("g.txt")
    (tmp_path / "other").symlink_to(folder)
    for root in (folder, tmp_path / "other"):
        assert told(root)[3:] == [("e.txt",), ("f", "folder_link"), ("g.txt", "not_readable")]


def test_what_is_hidden_of_another_ending_or_no_file_is_counted(folder: Path) -> None:
    (folder / ".git").mkdir()
    (folder / ".git" / "notes.md").write_text("hidden")
    (folder / ".#a.txt").symlink_to("user@host")
    (folder / "e.pdf").write_text("%PDF")
    os.mkfifo(folder / "f.txt")
    assert told(folder) == [
        (".#a.txt", "hidden"), (".git", "hidden"), ("a.txt",), ("b/c.txt",), ("d.txt",),
        ("e.pdf", "other_ending"), ("f.txt", "not_a_file"),
    ]  # fmt: skip
