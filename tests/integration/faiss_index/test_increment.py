"""Increments: what leaves is gone, what enters is found, and the order of days does not matter."""

from __future__ import annotations

import multiprocessing
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from include.errors import Busy, ContractError, GateFailed, InputError
from include.faiss_index.engine import stored_ids
from include.faiss_index.increment import begin, increment
from include.faiss_index.unchanged import Stored
from include.generations.vectors import VectorRows
from tests.integration.faiss_index.songs import (
    BASE,
    KINDS,
    LOW,
    ROWS,
    VECTORS,
    built,
    ids,
    incremented,
    index_folder,
    origin,
    pages,
    remains,
    rows,
)


@pytest.mark.parametrize("kind", KINDS)
def test_rows_leave_change_and_enter(tmp_path: Path, kind: str) -> None:
    folder = index_folder(tmp_path)
    base = built(folder, kind)
    moved = VectorRows(ids(0, 100), VECTORS[5900:6000])  # known ids, other vectors
    version = incremented(folder, [moved, rows(BASE, BASE + 50)], [*ids(200, 230), 1, 2])
    counts = version.manifest.counts
    assert (counts.before, counts.deleted, counts.updated, counts.new, counts.absent) == (BASE, 30, 100, 50, 2)
    assert version.manifest.ntotal == BASE - 30 + 50
    assert version.manifest.parent == base.name
    opened = version.open()
    assert version.ids().tolist() == sorted({*ids(0, BASE + 50)} - {*ids(200, 230)})
    assert stored_ids(opened.index).tolist() == version.ids().tolist()
    _, found = opened.search(VECTORS[5900:6000], 3)
    assert (found == ids(0, 100)[:, None]).any(axis=1).mean() > 0.95
    _, found = opened.search(VECTORS[200:230], 20)
    assert not np.isin(found, ids(200, 230)).any()
    assert version.manifest.quality_at_build == base.manifest.quality
    assert remains(folder) == []


@pytest.mark.parametrize("kind", KINDS)
def test_recall_after_increments_is_that_of_a_search_over_all_rows(tmp_path: Path, kind: str) -> None:
    folder = index_folder(tmp_path)
    built(folder, kind)
    incremented(folder, rows(BASE, BASE + 1000), ids(0, 50), day=1)
    version = incremented(folder, rows(BASE + 500, ROWS), ids(50, 100), day=2)
    truth = version.truth()
    unit = VECTORS[100:] / np.linalg.norm(VECTORS[100:], axis=1, keepdims=True)
    exact = truth.queries @ unit.T
    exact[truth.query_ids[:, None] == ids(100, ROWS)] = -1
    right = ids(100, ROWS)[np.argsort(-exact, axis=1)[:, :10]]
    _, found = version.open().search(truth.queries, 11)
    shares = [
        np.isin([each for each in mine if each != own][:10], best).sum() / 10
        for mine, own, best in zip(found.tolist(), truth.query_ids, right, strict=True)
    ]
    assert version.manifest.quality.queries_left_out == 0
    assert np.mean(shares) == pytest.approx(version.manifest.quality.recall_at_10, abs=0.002)


@pytest.mark.parametrize("order", [(1, 2, 3, 4), (3, 1, 1, 4, 2), (4, 3, 2, 1, 3)])
def test_days_in_any_order_with_reruns_give_the_ids_of_one_build(tmp_path: Path, order: tuple[int, ...]) -> None:
    folder = index_folder(tmp_path)
    built(folder)
    for day in order:
        incremented(folder, rows(BASE + 500 * (day - 1), BASE + 500 * day), ids(10 * day, 10 * day + 5), day=day)
    gone = [each for day in range(1, 5) for each in range(10 * day, 10 * day + 5)]
    left = np.setdiff1d(np.arange(ROWS), gone)
    whole = index_folder(tmp_path / "whole")
    built(whole, last=ROWS)
    once = incremented(whole, removals=ids(0, ROWS)[gone])
    version = folder.current()
    assert version is not None
    assert version.ids().tolist() == ids(0, ROWS)[left].tolist()
    assert (version.folder / "ids.npy").read_bytes() == (once.folder / "ids.npy").read_bytes()


def test_a_rerun_adds_nothing(tmp_path: Path) -> None:
    folder = index_folder(tmp_path)
    built(folder)
    first = incremented(folder, rows(BASE, BASE + 100), ids(0, 10))
    again = incremented(folder, rows(BASE, BASE + 100), ids(0, 10))
    assert again.name != first.name
    assert again.manifest.counts.model_dump() == {
        "before": first.manifest.ntotal,
        "deleted": 0,
        "updated": 100,
        "new": 0,
        "absent": 10,
    }
    assert again.ids().tolist() == first.ids().tolist()


def test_an_increment_without_rows_is_a_version_with_a_new_watermark(tmp_path: Path) -> None:
    folder = index_folder(tmp_path)
    base = built(folder)
    version = incremented(folder)
    assert version.ids().tolist() == base.ids().tolist()
    assert version.manifest.origin.watermark == origin(1).watermark
    assert version.manifest.files["index.faiss"] == base.manifest.files["index.faiss"]


@pytest.mark.parametrize("kind", KINDS)
def test_every_row_may_change_at_once_when_that_is_meant(tmp_path: Path, kind: str) -> None:
    folder = index_folder(tmp_path)
    before = built(folder, kind)
    changed = VectorRows(ids(0, BASE), VECTORS[ROWS - BASE :])
    if kind != "flat":  # which has no training to outgrow
        with pytest.raises(GateFailed, match=r"100% of the rows have another vector than before.* Run faiss_rebuild"):
            incremented(folder, changed)
        assert folder.all() == [before.name]
    version = incremented(folder, changed, options=replace(LOW, force=True))
    assert version.manifest.counts.updated == BASE
    _, found = version.open().search(VECTORS[ROWS - BASE : ROWS - BASE + 100], 3)
    assert (found == ids(0, 100)[:, None]).any(axis=1).mean() > 0.9


def test_a_recall_that_can_no_longer_be_measured_is_not_served_unless_that_is_meant(tmp_path: Path) -> None:
    folder = index_folder(tmp_path)
    before = built(folder)
    small = replace(LOW, min_share=0.0)
    for _ in range(2):
        with pytest.raises(GateFailed, match=r"can be measured over \d+ queries only, \d+ could be at the build"):
            incremented(folder, removals=ids(100, BASE), options=small)
        assert folder.all() == [before.name]
    forced = incremented(folder, removals=ids(100, BASE), options=replace(small, force=True))
    assert forced.manifest.ntotal == 100
    with pytest.raises(GateFailed, match=r"Run faiss_rebuild, or this again with force"):
        incremented(folder, rows(BASE, BASE + 5), day=2)  # what was forced once is asked again


def test_rows_found_unusable_on_the_way_leave_too(tmp_path: Path) -> None:
    folder = index_folder(tmp_path)
    built(folder)
    found: list[int] = []

    def reading() -> Iterator[VectorRows]:
        yield rows(BASE, BASE + 10)
        found.extend([*ids(3, 5), 1])

    with folder.alone("increment") as alone:
        version = increment(
            alone, begin(alone), reading(), ids(0, 2), origin(1), unusable=lambda: np.array(found), options=LOW
        )
    counts = version.manifest.counts
    assert (counts.deleted, counts.new, counts.absent) == (4, 10, 0)
    assert version.ids().tolist() == [*ids(2, 3), *ids(5, BASE + 10)]


@pytest.mark.parametrize("kind", KINDS)
def test_rows_that_are_held_already_are_told_from_changed_ones(tmp_path: Path, kind: str) -> None:
    version = built(index_folder(tmp_path), kind)
    same = VectorRows(ids(100, 300), VECTORS[100:300].copy())
    assert Stored(version.open(), version.manifest.recipe).same(same).mean() > 0.99
    same.vectors[:50] = VECTORS[5000:5050]
    assert not Stored(version.open(), version.manifest.recipe).same(same)[:50].any()
    assert not Stored(version.open(), version.manifest.recipe).same(rows(BASE, ROWS)).any()


def test_a_row_that_comes_twice_or_holds_nan_leaves_what_is_served(tmp_path: Path) -> None:
    folder = index_folder(tmp_path)
    before = built(folder)
    bad = VectorRows(ids(BASE, BASE + 5), VECTORS[BASE : BASE + 5].copy())
    bad.vectors[3, 3] = np.nan
    with pytest.raises(ContractError, match=f"Row {int(bad.ids[3])} cannot be indexed"):
        incremented(folder, [bad])
    with pytest.raises(ContractError, match="comes more than once"):
        incremented(folder, [rows(BASE, BASE + 5), rows(BASE + 4, BASE + 6)])
    with pytest.raises(ContractError, match="another model"):
        incremented(folder, [VectorRows(np.array([1]), np.ones((1, 64), np.float32))])
    assert folder.current() == before
    assert folder.all() == [before.name]
    assert remains(folder) == []


def test_an_index_cannot_lose_all_of_its_rows_or_most_unless_that_is_meant(tmp_path: Path) -> None:
    folder = index_folder(tmp_path)
    before = built(folder)
    with pytest.raises(GateFailed, match="min_share"):
        incremented(folder, removals=ids(0, BASE - 1000))
    with pytest.raises(GateFailed, match="would be empty"):
        incremented(folder, removals=ids(0, BASE))
    assert folder.current() == before


def test_without_an_index_there_is_nothing_to_add_to(tmp_path: Path) -> None:
    folder = index_folder(tmp_path)
    with folder.alone("increment") as alone, pytest.raises(InputError, match="Run faiss_rebuild"):
        begin(alone)


def test_of_two_that_publish_at_once_one_is_told_to_wait(tmp_path: Path) -> None:
    folder = index_folder(tmp_path)
    built(folder)
    with folder.alone("faiss_daily_increment") as alone:
        with multiprocessing.get_context("spawn").Pool(1) as pool:
            said = pool.apply(_try_alone, (tmp_path,))
        assert "held by: faiss_daily_increment of song" in said
        increment(alone, begin(alone), pages(rows(BASE, BASE + 5)), ids(0, 1), origin(1), options=LOW)
    assert len(folder.all()) == 2


def _try_alone(root: Path) -> str:
    try:
        with index_folder(root).alone("another"):
            return "not busy"
    except Busy as error:
        return str(error)
