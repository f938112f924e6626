"""Processes that die and disks that fill up: what was served stays served, and the next run succeeds."""

from __future__ import annotations

from pathlib import Path

import pytest

from include.faiss_index.manifest import INDEX
from tests.integration.faiss_index.processes import killed, outcome
from tests.integration.faiss_index.songs import BASE, ROWS, built, ids, incremented, index_folder, remains, rows


@pytest.mark.parametrize("kind", ["ivf_sq8", "ivf_pq_refine"])
@pytest.mark.parametrize("stage", ["add", "write", "verify", "pointer"])
def test_a_run_that_is_killed_leaves_what_was_served_and_can_be_repeated(tmp_path: Path, stage: str, kind: str) -> None:
    folder = index_folder(tmp_path)
    before = built(folder, kind)
    killed(tmp_path, stage)
    assert folder.current() == before
    before.check()
    assert (tmp_path / "published" / "muse_vibe.index").samefile(before.folder / INDEX)
    assert folder.all() == [before.name]
    version = incremented(folder, rows(BASE, ROWS), ids(0, 20))
    assert version.ids().tolist() == ids(20, ROWS).tolist()
    assert folder.all() == [before.name, version.name]
    assert remains(folder) == []
    assert sorted(path.name for path in folder.versions.iterdir()) == folder.all()
    assert not list(folder.versions.glob("*/UNSERVED"))


def test_a_run_that_is_killed_after_the_switch_is_finished_by_the_next(tmp_path: Path) -> None:
    folder = index_folder(tmp_path)
    before = built(folder)
    killed(tmp_path, "published")
    served = folder.current()
    assert served is not None
    assert served.manifest.parent == before.name
    with folder.alone("anything"):
        pass
    assert folder.current() == served
    assert folder.all() == [before.name, served.name]
    published = tmp_path / "published"
    assert (published / "muse_vibe.index").samefile(served.folder / INDEX)
    assert [path.name for path in (published / "backup").iterdir()] == ["muse_vibe_20261121.index"]
    assert (published / "backup" / "muse_vibe_20261121.index").samefile(before.folder / INDEX)
    assert not list(folder.versions.glob("*/UNSERVED"))


def test_a_version_that_was_never_served_leaves_no_dated_file(tmp_path: Path) -> None:
    folder = index_folder(tmp_path)
    built(folder)
    killed(tmp_path, "pointer")
    dated = tmp_path / "published" / "muse_vibe_20261122.index"
    assert dated.exists()
    with folder.alone("anything"):
        pass
    assert not dated.exists()


@pytest.mark.parametrize(("kind", "most"), [("ivf_sq8", 50_000), ("ivf_sq8", 120_000), ("ivf_pq_refine", 60_000)])
def test_where_no_room_is_left_it_is_said_and_nothing_changes(tmp_path: Path, kind: str, most: int) -> None:
    folder = index_folder(tmp_path)
    before = built(folder, kind)
    said = outcome("without_room", str(tmp_path), str(most))
    assert said.startswith("SetupError: ")
    assert "Free some space there, then run this again" in said
    assert folder.current() == before
    assert remains(folder) == []
    assert incremented(folder, rows(BASE, ROWS)).manifest.ntotal == ROWS
