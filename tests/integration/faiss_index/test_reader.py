"""Readers follow the served version while it changes."""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import pytest

from include.errors import ContractError, InputError
from include.faiss_index.manifest import INDEX
from include.faiss_index.reader import IndexReader
from include.generations.vectors import VectorRows
from tests.integration.faiss_index.songs import BASE, DIMENSION, VECTORS, built, ids, incremented, index_folder, rows

PUBLISHES = 20


class Searching:
    """Threads that search without a pause, and what they met."""

    def __init__(self, reader: IndexReader) -> None:
        self._reader, self._stop, self._alone = reader, threading.Event(), threading.Lock()
        self.errors: list[Exception] = []
        self.versions: set[str] = set()
        self.searches = 0
        self._threads = [threading.Thread(target=self._search) for _ in range(3)]

    def __enter__(self) -> Searching:
        for thread in self._threads:
            thread.start()
        return self

    def __exit__(self, *_raised: object) -> None:
        self._stop.set()
        for thread in self._threads:
            thread.join()

    def _search(self) -> None:
        while not self._stop.is_set():
            try:
                version = self._reader.version
                _, found = self._reader.search(VECTORS[:8], 3)
                assert (found[:, 0] == ids(0, 8)).all()
                self._reader.reconstruct(ids(0, 3))
            except Exception as error:  # noqa: BLE001 — whatever it is, there must be none
                self.errors.append(error)
                return
            with self._alone:
                self.versions.add(version)
                self.searches += 1

    def wait_for(self, met: Callable[[], bool]) -> None:
        deadline = time.monotonic() + 60
        while not met() and not self.errors:
            assert time.monotonic() < deadline, (self.searches, self.versions)
            time.sleep(0.001)

    def meanwhile(self, taken: VectorRows) -> Iterator[VectorRows]:
        """The rows of an increment, which ends only after some searches more."""
        yield taken
        begun = self.searches
        self.wait_for(lambda: self.searches >= begun + 10)


@pytest.mark.parametrize("mapped", [False, True])
def test_searches_go_on_without_an_error_through_twenty_publishes(tmp_path: Path, mapped: bool) -> None:
    folder = index_folder(tmp_path, keep=2)
    versions = [built(folder).name]
    reader = IndexReader(folder.root, poll_seconds=0, mapped=mapped)
    with Searching(reader) as searching:
        for day in range(PUBLISHES):
            searching.wait_for(lambda: versions[-1] in searching.versions)
            before = searching.searches
            taken = rows(BASE + 10 * day, BASE + 10 * day + 10)
            versions.append(incremented(folder, searching.meanwhile(taken), day=day).name)
            assert searching.searches >= before + 10 or searching.errors
        searching.wait_for(lambda: versions[-1] in searching.versions)
    assert searching.errors == []
    assert reader.error is None
    assert searching.versions == set(versions)
    assert len(searching.versions) == PUBLISHES + 1
    assert reader.ids.tolist() == ids(0, BASE + 10 * PUBLISHES).tolist()


def test_a_new_version_is_found_by_searching_alone(tmp_path: Path) -> None:
    folder = index_folder(tmp_path)
    first = built(folder, last=60)
    reader = IndexReader(folder.root, poll_seconds=0)
    assert reader.version == first.name
    second = incremented(folder, rows(60, 70))
    waiting = threading.Event()
    for _ in range(600):
        _, found = reader.search(VECTORS[65:66], 1)
        if found[0, 0] == ids(65, 66)[0]:
            break
        waiting.wait(0.1)
    assert reader.version == second.name
    assert reader.manifest == second.manifest


def test_a_version_that_is_damaged_is_reported_once_and_the_one_before_goes_on(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    folder = index_folder(tmp_path)
    first = built(folder, last=60)
    reader = IndexReader(folder.root, poll_seconds=0)
    second = incremented(folder, rows(60, 70))
    path = second.folder / INDEX
    path.chmod(0o644)
    path.write_bytes(b"\0" * path.stat().st_size)
    with caplog.at_level(logging.ERROR):
        for _ in range(3):
            assert reader.refresh() == first.name
    assert isinstance(reader.error, ContractError)
    assert len([record for record in caplog.records if record.levelno >= logging.ERROR]) == 1
    assert reader.search(VECTORS[:1], 1)[1][0, 0] == ids(0, 1)[0]
    folder.roll_back()
    third = incremented(folder, rows(60, 75), day=2)
    assert reader.refresh() == third.name
    assert reader.error is None


def test_where_nothing_is_served_it_is_said(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="Run faiss_rebuild first"):
        IndexReader(tmp_path)


def test_a_roll_back_is_followed_too(tmp_path: Path) -> None:
    folder = index_folder(tmp_path)
    first = built(folder, last=60)
    incremented(folder, rows(60, 70))
    reader = IndexReader(folder.root)
    folder.roll_back()
    assert reader.refresh() == first.name
    assert reader.search(np.ones((1, DIMENSION)), 61)[1][0, -1] == -1
