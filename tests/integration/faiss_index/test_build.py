"""Every kind of index: trained, filled, verified, served, found again."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from include.errors import ContractError, GateFailed, InputError
from include.faiss_index.assembly import Options
from include.faiss_index.build import build
from include.faiss_index.engine import read_index, stored_ids
from include.faiss_index.recipe import choose
from include.faiss_index.training import Trained, train
from include.faiss_index.verify import Floors
from include.generations.vectors import VectorRows
from tests.integration.faiss_index.songs import (
    BASE,
    DIMENSION,
    KINDS,
    LOW,
    VECTORS,
    built,
    ids,
    index_folder,
    origin,
    pages,
    remains,
    rows,
    trained,
)

FLOORS = {"flat": 1.0, "ivf_sq8": 0.9, "ivf_pq": 0.5, "ivf_pq_refine": 0.9}


@pytest.mark.parametrize("kind", KINDS)
def test_a_build_of_any_kind_is_served_with_its_figures(tmp_path: Path, kind: str) -> None:
    folder = index_folder(tmp_path)
    version = built(folder, kind)
    assert folder.current() == version
    manifest = version.manifest
    assert (manifest.ntotal, manifest.made, manifest.parent, manifest.counts.new) == (BASE, "build", None, BASE)
    assert version.ids().tolist() == ids(0, BASE).tolist()
    assert manifest.quality.recall_at_10 is not None
    assert manifest.quality.recall_at_10 >= FLOORS[kind]
    assert (manifest.quality.self_recall, manifest.quality.queries) == (1, 256)
    assert manifest.quality == manifest.quality_at_build
    opened = version.open()
    scores, found = opened.search(VECTORS[:50], 5)
    assert (found[:, 0] == ids(0, 50)).mean() > 0.9
    assert (np.diff(scores, axis=1) <= 0).all()
    assert np.allclose(scores[:, 0], 1, atol=0.15)
    near = opened.reconstruct(ids(100, 110))
    exact = rows(100, 110).vectors / np.linalg.norm(rows(100, 110).vectors, axis=1, keepdims=True)
    assert (np.einsum("ij,ij->i", near, exact) > 0.8).all()
    assert remains(folder) == []


@pytest.mark.parametrize("kind", KINDS)
def test_recall_in_the_manifest_is_what_an_exact_search_finds(tmp_path: Path, kind: str) -> None:
    version = built(index_folder(tmp_path), kind)
    truth, opened = version.truth(), version.open()
    unit = VECTORS[:BASE] / np.linalg.norm(VECTORS[:BASE], axis=1, keepdims=True)
    exact = truth.queries @ unit.T
    exact[np.arange(256), (truth.query_ids - 10) // 7] = -1
    best = ids(0, BASE)[np.argsort(-exact, axis=1)[:, :10]]
    _, found = opened.search(truth.queries, 11)
    shares = [
        np.isin([each for each in mine if each != own][:10], right).sum() / 10
        for mine, own, right in zip(found.tolist(), truth.query_ids, best, strict=True)
    ]
    assert np.mean(shares) == pytest.approx(version.manifest.quality.recall_at_10, abs=0.002)


def test_who_opens_the_published_file_searches_as_the_project_does(tmp_path: Path) -> None:
    folder = index_folder(tmp_path)
    version = built(folder)
    index = read_index(tmp_path / "published" / "muse_vibe.index")
    assert index.nprobe == version.manifest.recipe.nprobe
    assert stored_ids(index).tolist() == ids(0, BASE).tolist()
    assert (tmp_path / "published" / "muse_vibe_20261121.index").samefile(tmp_path / "published" / "muse_vibe.index")


def test_lists_searched_are_measured_when_none_are_given(tmp_path: Path) -> None:
    folder = index_folder(tmp_path)
    recipe = choose(BASE, DIMENSION, memory_budget_bytes=1 << 30)
    with folder.alone("build") as alone:
        version = build(alone, train(rows(0, BASE), recipe), pages(rows(0, BASE)), origin(), options=LOW)
    nprobe = version.manifest.recipe.nprobe
    assert nprobe is not None
    assert 4 <= nprobe <= recipe.nlist
    assert version.open().index.nprobe == nprobe


def test_queries_are_not_in_the_training_sample_and_the_rest_is() -> None:
    few = train(rows(0, BASE), choose(BASE, DIMENSION, memory_budget_bytes=1 << 30))
    assert len(few.queries.ids) == 256
    assert few.figures.rows == min(few.recipe.training_rows, BASE - 256)


def test_the_same_sample_gives_the_same_training() -> None:
    assert trained().index == trained().index


def test_a_training_is_kept_and_loaded_again(tmp_path: Path) -> None:
    first = trained()
    first.save(tmp_path)
    again = Trained.load(tmp_path)
    assert (again.index, again.recipe, again.figures) == (first.index, first.recipe, first.figures)
    assert again.queries.ids.tolist() == first.queries.ids.tolist()


def test_a_training_that_is_missing_or_damaged_is_named(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="no trained index"):
        Trained.load(tmp_path)
    path = trained().save(tmp_path)
    path.write_bytes(path.read_bytes()[:5000])
    with pytest.raises(ContractError, match=r"trained.npz is damaged"):
        Trained.load(tmp_path)


@pytest.mark.parametrize("few", [1, 2, 9, 30])
def test_very_few_rows_make_an_exact_index(tmp_path: Path, few: int) -> None:
    version = built(index_folder(tmp_path), last=few)
    assert version.manifest.recipe.kind == "flat"
    _, found = version.open().search(VECTORS[:few], few + 1)
    assert found[:, 0].tolist() == ids(0, few).tolist()
    assert (found[:, few] == -1).all()


@pytest.mark.parametrize("value", [np.nan, np.inf, 0.0])
def test_a_row_that_cannot_be_indexed_stops_the_build_by_its_id(tmp_path: Path, value: float) -> None:
    folder = index_folder(tmp_path)
    before = built(folder)
    bad = VectorRows(ids(0, BASE), VECTORS[:BASE].copy())
    bad.vectors[1234] = value
    with folder.alone("build") as alone, pytest.raises(ContractError, match=f"Row {int(bad.ids[1234])} cannot"):
        build(alone, trained(), pages(bad), origin(), options=LOW)
    assert folder.current() == before
    assert remains(folder) == []


def test_a_row_that_comes_twice_stops_the_build(tmp_path: Path) -> None:
    folder = index_folder(tmp_path)
    with folder.alone("build") as alone, pytest.raises(ContractError, match="comes more than once"):
        build(alone, trained(), [*pages(rows(0, BASE)), rows(5, 6)], origin(), options=LOW)
    assert folder.current() is None


@pytest.mark.parametrize("floors", [Floors(recall_at_10=1.01, self_recall=0), Floors(recall_at_10=0, self_recall=1.01)])
def test_a_version_below_its_floor_is_not_served(tmp_path: Path, floors: Floors) -> None:
    folder = index_folder(tmp_path)
    before = built(folder)
    with folder.alone("build") as alone, pytest.raises(GateFailed, match="Not served"):
        build(alone, trained(), pages(rows(0, BASE)), origin(), options=Options(floors=floors))
    assert folder.current() == before
    assert folder.all() == [before.name]
    assert remains(folder) == []


def test_an_empty_build_and_one_that_shrank_are_not_served(tmp_path: Path) -> None:
    folder = index_folder(tmp_path)
    before = built(folder)
    with folder.alone("build") as alone, pytest.raises(GateFailed, match="would be empty"):
        build(alone, trained(), [], origin(), options=LOW)
    with folder.alone("build") as alone, pytest.raises(GateFailed, match="min_share"):
        build(alone, trained(), pages(rows(0, 1500)), origin(), options=LOW)
    assert folder.current() == before


def test_identical_vectors_pass_the_gate(tmp_path: Path) -> None:
    """A hundred songs of one album have the album's vector."""
    folder = index_folder(tmp_path)
    same = VectorRows(ids(0, BASE), VECTORS[np.arange(BASE) // 100])
    recipe = choose(BASE, DIMENSION, memory_budget_bytes=1 << 30)
    with folder.alone("build") as alone:
        version = build(alone, train(same, recipe), pages(same), origin())
    assert version.manifest.quality.self_recall == 1


def test_queries_of_a_wrong_form_are_refused(tmp_path: Path) -> None:
    opened = built(index_folder(tmp_path), last=30).open()
    for queries, words in (
        (VECTORS[:2, :5], r"shape \(2, 5\)"),
        (VECTORS[0], r"shape \(32,\)"),
        (VECTORS[:3] * [[1], [0], [1]], "Query 1 holds NaN, infinity or only zeros"),
    ):
        with pytest.raises(InputError, match=words):
            opened.search(queries, 3)
    with pytest.raises(InputError, match="at least 1"):
        opened.search(VECTORS[:2], 0)
    with pytest.raises(InputError, match="1 of 2 ids are not in the index; the first is 11"):
        opened.reconstruct(np.array([10, 11]))
