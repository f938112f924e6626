"""Readers follow the served version while it changes."""

from __future__ import annotations

import logging
import threading
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

from include.errors import ContractError, InputError
from include.faiss_index.manifest import INDEX
from include.faiss_index.reader import IndexReader
from include.generations.vectors import VectorRows
from tests.integration.faiss_index.songs import BASE, DIMENSION, VECTORS, built, ids, incremented, index_folder, rows
from tests.integration.reader import reading

PUBLISHES = 20


@pytest.mark.parametrize("mapped", [False, True])
def test_searches_go_on_without_an_error_through_twenty_publishes(tmp_path: Path, mapped: bool) -> None:
    folder = index_folder(tmp_path, keep=2)
    versions = [built(folder).name]
    reader = IndexReader(folder.root, poll_seconds=0, mapped=mapped)

    def search() -> str:
        version = reader.version
        _, found = reader.search(VECTORS[:8], 3)
        assert (found[:, 0] == ids(0, 8)).all()
        reader.reconstruct(ids(0, 3))
        return version

    with reading(search, search, search) as searches:

        def meanwhile(taken: VectorRows) -> Iterator[VectorRows]:
            """The rows of an increment, which ends only after some searches more."""
            yield taken
            searches.wait_for_more(10)

        for day in range(PUBLISHES):
            searches.wait_for(lambda: versions[-1] in searches.answered, seconds=60)
            before = searches.answered.total()
            taken = rows(BASE + 10 * day, BASE + 10 * day + 10)
            versions.append(incremented(folder, meanwhile(taken), day=day).name)
            assert searches.answered.total() >= before + 10
        searches.wait_for(lambda: versions[-1] in searches.answered, seconds=60)
    assert reader.error is None
    assert set(searches.answered) == set(versions)
    assert len(searches.answered) == PUBLISHES + 1
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
