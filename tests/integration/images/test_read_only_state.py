"""A search only reads the state, so that it may be mounted read-only where searches are answered."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from tests.integration.images.served import ServedImages

WRITES = os.O_WRONLY | os.O_RDWR | os.O_CREAT | os.O_TRUNC | os.O_APPEND
CHANGES = {"mkdir", "rename", "remove", "rmdir", "link", "symlink", "truncate", "utime", "chmod", "chown"}
Change = tuple[str, str]


@contextmanager
def changes_below(folder: Path) -> Iterator[list[Change]]:
    """What this process changes below ``folder``, or opens so that it could."""
    found: list[Change] = []
    watching = True  # a hook cannot be taken away again

    def watch(event: str, arguments: tuple[Any, ...]) -> None:
        if not watching or not arguments or not isinstance(arguments[0], str | bytes | os.PathLike):
            return
        path = os.fsdecode(arguments[0])
        opened_to_write = event == "open" and arguments[2] & WRITES
        if path.startswith(str(folder)) and (opened_to_write or event.removeprefix("os.") in CHANGES):
            found.append((event, path))

    sys.addaudithook(watch)
    try:
        yield found
    finally:
        watching = False


def test_every_kind_of_request_leaves_the_state_alone(images: ServedImages) -> None:
    picture = images.some("scratch").read_bytes()
    with changes_below(images.settings.state_dir) as changes, images.client() as client:
        for edition in ("v1", "v2"):
            for kind in ("normal", "defect"):
                options = {"index_type": kind, "edition": edition, "result_images": "url"}
                answer = client.post("/similarity", files={"file": ("a.jpg", picture)}, data=options)
                assert answer.status_code == 200, answer.text
        asked = {"path": str(images.some("scratch")), "result_images": "base64"}
        assert client.post("/similarity", json=asked).status_code == 200
        assert client.get("/health").json()["status"] == "ok"
        assert client.post("/index/rebuild", json={}).status_code == 202
    assert changes == []


def test_the_watch_sees_what_a_build_does(images: ServedImages) -> None:
    with changes_below(images.settings.state_dir) as changes:
        images.build("normal", "watched")
    assert changes
