"""Who may write while a name moves."""

from __future__ import annotations

import threading
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from include.elastic.locks import writing_index
from include.settings import Settings


def test_who_waits_to_be_alone_is_passed_by_no_writer(tmp_path: Path) -> None:
    settings = Settings(state_dir=tmp_path)
    held: list[str] = []
    first, over = threading.Event(), threading.Event()

    def write(name: str) -> None:
        with writing_index(settings, "links", purpose=name, alone=False):
            held.append(name)
            first.set()
            assert over.wait(60)

    def publish() -> None:
        with writing_index(settings, "links", purpose="publish", alone=True):
            held.append("publish")

    def wait_in_turn(purpose: str) -> None:
        deadline = time.monotonic() + 60
        while (tmp_path / "locks" / "index-links.turn.lock").read_text().startswith(purpose) is False:
            assert time.monotonic() < deadline
            time.sleep(0.01)

    with ThreadPoolExecutor(3) as pool:
        tasks = [pool.submit(write, "first")]
        assert first.wait(60)
        tasks.append(pool.submit(publish))
        wait_in_turn("publish")
        tasks.append(pool.submit(write, "second"))
        time.sleep(0.2)  # the second would be let in at once, were the publisher not before it
        over.set()
        for task in tasks:
            task.result(timeout=60)
    assert held == ["first", "publish", "second"]


def test_writers_get_along(tmp_path: Path) -> None:
    settings = Settings(state_dir=tmp_path)
    both = threading.Barrier(2)

    def write() -> None:
        with writing_index(settings, "links", purpose="write", alone=False):
            both.wait(60)

    with ThreadPoolExecutor(2) as pool:
        for task in [pool.submit(write) for _ in range(2)]:
            task.result(timeout=60)
