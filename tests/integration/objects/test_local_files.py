"""Files in the allowed folders: what is no file, may not be read, or leads outside."""

from __future__ import annotations

import os
import threading
from pathlib import Path
from typing import Any

import pytest

from include.errors import AccessDenied, InputError
from include.objects.locations import NotAllowed
from include.objects.store import ObjectStore
from include.settings import Settings


@pytest.fixture
def local(tmp_path: Path) -> tuple[ObjectStore, Path]:
    root = tmp_path / "root"
    root.mkdir()
    (tmp_path / "secret").write_text("secret")
    return ObjectStore.from_settings(Settings(_env_file=None, images_roots=str(root), images_stores="")), root


def test_what_is_no_file_is_refused_at_once(local: tuple[ObjectStore, Path]) -> None:
    store, root = local
    os.mkfifo(root / "pipe")
    (root / "folder").mkdir()
    for name in ("pipe", "folder"):
        with pytest.raises(InputError, match="not a regular file"):
            store.read(str(root / name))


def test_a_file_without_the_right_to_read_says_so(local: tuple[ObjectStore, Path], monkeypatch: Any) -> None:
    store, root = local

    def denied(*_: Any, **__: Any) -> int:
        raise PermissionError(13, "Permission denied")

    (root / "x").write_text("x")
    monkeypatch.setattr(os, "open", denied)
    with pytest.raises(AccessDenied, match="Permission denied"):
        store.read(str(root / "x"))


def test_a_link_that_turns_while_it_is_looked_at_leads_nowhere(local: tuple[ObjectStore, Path], tmp_path: Path) -> None:
    store, root = local
    (root / "good").write_text("good")
    link, done = root / "link", threading.Event()
    link.symlink_to(root / "good")

    def turn() -> None:
        number = 0
        while not done.is_set():
            number += 1
            new = root / f".new{number % 2}"
            new.symlink_to(tmp_path / "secret" if number % 2 else root / "good")
            new.replace(link)

    turning = threading.Thread(target=turn)
    turning.start()
    found = set()
    try:
        for _ in range(2000):
            try:
                found.add(store.read(str(link)))
            except NotAllowed:
                found.add(b"refused")
    finally:
        done.set()
        turning.join()
    assert b"secret" not in found


def test_a_write_that_fails_leaves_nothing_behind(local: tuple[ObjectStore, Path]) -> None:
    store, root = local
    (root / "taken").mkdir()
    with pytest.raises(InputError):
        store.write(str(root / "taken"), b"x")
    assert sorted(path.name for path in root.rglob("*")) == ["taken"]
