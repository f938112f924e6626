"""Files in the allowed folders: what is no file, may not be read, or leads outside."""

from __future__ import annotations

import itertools
import os
import stat
import threading
import time
from concurrent.futures import ThreadPoolExecutor
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
        deadline = time.monotonic() + 120
        for number in itertools.count():
            try:
                found.add(store.read(str(link)))
            except NotAllowed:
                found.add(b"refused")
            if number >= 2000 and found >= {b"good", b"refused"}:  # it was seen to turn, or this proves nothing
                break
            assert time.monotonic() < deadline, found
    finally:
        done.set()
        turning.join()
    assert found == {b"good", b"refused"}


def test_a_write_that_fails_leaves_nothing_behind(local: tuple[ObjectStore, Path]) -> None:
    store, root = local
    (root / "taken").mkdir()
    with pytest.raises(InputError):
        store.write(str(root / "taken"), b"x")
    assert sorted(path.name for path in root.rglob("*")) == ["taken"]


def test_a_file_is_on_disk_before_it_has_its_name_and_its_name_before_the_write_ends(
    local: tuple[ObjectStore, Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    store, root = local
    sync, synced = os.fsync, []

    def watched(descriptor: int) -> None:
        found = os.fstat(descriptor)
        what = "the folder" if stat.S_ISDIR(found.st_mode) else f"{found.st_size} bytes"
        synced.append((what, (root / "x").exists()))
        sync(descriptor)

    monkeypatch.setattr(os, "fsync", watched)
    store.write(str(root / "x"), b"x" * 3_000_001)
    assert synced == [("3000001 bytes", False), ("the folder", True)]


def test_of_several_who_write_the_same_file_each_writes_it_whole(local: tuple[ObjectStore, Path]) -> None:
    store, root = local
    with ThreadPoolExecutor(8) as threads:
        for round_ in range(20):
            wanted = [bytes([round_, number]) * 50_000 for number in range(8)]
            list(threads.map(lambda data: store.write(str(root / "x"), data), wanted))
            assert (root / "x").read_bytes() in wanted
    assert [path.name for path in root.iterdir()] == ["x"]
