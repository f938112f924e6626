"""Versions: promoted, rolled back, pruned, and repaired when their bytes change."""

from __future__ import annotations

import logging
import shutil
from dataclasses import replace
from pathlib import Path

import pytest

from include.errors import ContractError, EmbsearchError, InputError, SetupError
from include.faiss_index.increment import begin, increment
from include.faiss_index.manifest import INDEX, MANIFEST
from include.faiss_index.repair import repair
from include.faiss_index.version import Version
from include.faiss_index.versions import IndexFolder
from tests.integration.faiss_index.songs import BASE, LOW, built, ids, incremented, index_folder, origin, rows

FEW = 60


def served(folder: IndexFolder) -> str:
    version = folder.current()
    assert version is not None
    return version.name


def days(folder: IndexFolder, count: int) -> list[Version]:
    """A build and increments of ten rows each."""
    return [built(folder, last=FEW)] + [
        incremented(folder, rows(FEW + 10 * day, FEW + 10 * day + 10), day=day) for day in range(1, count)
    ]


def damage(path: Path, at: int = -100) -> None:
    """Change one byte, as a failing disk does."""
    path.chmod(0o644)
    data = bytearray(path.read_bytes())
    data[at] ^= 0xFF
    path.write_bytes(data)


def test_a_roll_back_goes_to_what_the_served_version_was_made_from(tmp_path: Path) -> None:
    folder = index_folder(tmp_path, keep=5)
    first, second, third = days(folder, 3)
    assert folder.roll_back().name == second.name
    assert folder.roll_back(third.name).name == third.name  # forward again
    assert folder.left() == []
    assert folder.roll_back(first.name).name == served(folder) == first.name
    fourth = incremented(folder, day=3)
    assert folder.all() == [first.name, fourth.name]  # what was left makes room first
    assert folder.roll_back().name == first.name
    assert folder.roll_back(fourth.name).name == fourth.name


def test_versions_that_were_left_push_out_none_and_are_never_gone_back_to(tmp_path: Path) -> None:
    folder = index_folder(tmp_path, keep=2)
    first, second = days(folder, 2)
    folder.roll_back()
    third = incremented(folder, rows(FEW, FEW + 10), day=2)
    folder.roll_back()
    fourth = incremented(folder, rows(FEW, FEW + 10), day=3)
    assert folder.all() == [first.name, fourth.name]
    assert {second.name, third.name}.isdisjoint(folder.all())
    assert folder.before() == first.name


def test_a_repair_does_not_serve_what_was_rolled_back_from(tmp_path: Path) -> None:
    folder = index_folder(tmp_path, keep=5)
    first, second, third = days(folder, 3)
    folder.roll_back(second.name)
    folder.roll_back(first.name)
    folder.roll_back(third.name)
    assert folder.left() == [second.name]
    damage(third.folder / INDEX)
    assert not (tmp_path / "published" / "muse_vibe_20261123.index").samefile(first.folder / INDEX)
    done = repair(folder)
    assert done is not None
    assert done.served == first.name
    assert not (tmp_path / "published" / "muse_vibe_20261123.index").exists()
    damage(first.folder / INDEX)
    with pytest.raises(ContractError, match=rf"Rolled back from: {second.name}. Run faiss_rebuild"):
        repair(folder)


def test_a_folder_named_once_is_published_to_by_every_later_version_roll_back_and_repair(tmp_path: Path) -> None:
    folder, mine = index_folder(tmp_path), tmp_path / "mine"
    first = built(replace(folder, output=mine), last=FEW)
    second = incremented(folder, rows(FEW, FEW + 10))
    for place in (tmp_path / "published", mine):
        assert (place / "muse_vibe.index").samefile(second.folder / INDEX)
        assert (place / "backup" / "muse_vibe_20261121.index").samefile(first.folder / INDEX)
    folder.roll_back()
    assert (mine / "muse_vibe.index").samefile(first.folder / INDEX)
    third = incremented(folder, rows(FEW, FEW + 10), day=2)
    damage(third.folder / INDEX)
    assert repair(folder) is not None
    assert (mine / "muse_vibe.index").samefile(first.folder / INDEX)
    shutil.rmtree(mine)
    incremented(folder, rows(FEW, FEW + 10), day=3)
    assert not mine.exists()  # forgotten


def test_an_early_day_made_late_keeps_its_dated_file(tmp_path: Path) -> None:
    folder = index_folder(tmp_path, keep=2)
    days(folder, 4)
    incremented(folder, rows(FEW, FEW + 10), day=1)
    assert (tmp_path / "published" / "muse_vibe_20261122.index").exists()


def test_a_pointer_that_cannot_be_written_fails_with_what_to_do(tmp_path: Path) -> None:
    folder = index_folder(tmp_path)
    days(folder, 2)
    (folder.root / ".song.pointer.lock").unlink()
    (folder.root / ".song.pointer.lock").mkdir()
    with pytest.raises(SetupError, match="Something else stands there"):
        folder.roll_back()


def test_a_roll_back_puts_the_published_file_back_too(tmp_path: Path) -> None:
    folder = index_folder(tmp_path)
    first, second = days(folder, 2)
    published = tmp_path / "published"
    assert (published / "muse_vibe.index").samefile(second.folder / INDEX)
    assert (published / "backup" / "muse_vibe_20261121.index").samefile(first.folder / INDEX)
    folder.roll_back()
    assert (published / "muse_vibe.index").samefile(first.folder / INDEX)
    assert (published / "backup" / "muse_vibe_20261122.index").samefile(second.folder / INDEX)


def test_a_roll_back_to_nothing_or_to_a_damaged_version_changes_nothing(tmp_path: Path) -> None:
    folder = index_folder(tmp_path)
    with pytest.raises(InputError, match="no generation before"):
        folder.roll_back()
    first, second = days(folder, 2)
    with pytest.raises(InputError, match="song__2020 is no generation of song"):
        folder.roll_back("song__2020")
    damage(first.folder / INDEX)
    with pytest.raises(ContractError, match="has changed since it was written"):
        folder.roll_back()
    assert served(folder) == second.name


def test_the_newest_versions_stay_and_the_parent_of_the_served_one(tmp_path: Path) -> None:
    folder = index_folder(tmp_path, keep=2)
    versions = days(folder, 4)
    assert folder.all() == [version.name for version in versions[2:]]
    published = tmp_path / "published"
    assert sorted(path.name for path in published.glob("muse_vibe_*.index")) == [
        "muse_vibe_20261123.index",
        "muse_vibe_20261124.index",
    ]
    assert len(list((published / "backup").iterdir())) == 2
    folder.roll_back()
    last = incremented(folder, day=5)
    assert last.manifest.parent == versions[2].name
    another = incremented(folder, day=6)
    folder.roll_back(last.name)
    assert {last.name, another.name} <= set(folder.all())


def test_a_damaged_served_version_is_found_and_the_one_before_is_served(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    folder = index_folder(tmp_path)
    first, second = days(folder, 2)
    assert repair(folder) is None
    damage(second.folder / INDEX)
    with pytest.raises(ContractError, match="has changed since it was written"):
        second.open()
    with caplog.at_level(logging.ERROR):
        done = repair(folder)
    assert done is not None
    assert (done.damaged, done.served) == ((second.name,), first.name)
    assert "which is damaged" in caplog.text
    assert served(folder) == first.name
    assert folder.all() == [first.name]
    assert (tmp_path / "published" / "muse_vibe.index").samefile(first.folder / INDEX)
    assert repair(folder) is None
    assert incremented(folder, rows(FEW, FEW + 10), day=2).manifest.parent == first.name


@pytest.mark.parametrize("file", [MANIFEST, "ids.npy", "truth.npz", INDEX])
def test_damage_to_any_file_is_found(tmp_path: Path, file: str) -> None:
    folder = index_folder(tmp_path)
    first, second = days(folder, 2)
    (second.folder / file).unlink() if file != MANIFEST else (second.folder / file).write_text("{")
    assert repair(folder) is not None
    assert served(folder) == first.name


def test_versions_that_are_damaged_too_are_passed_over(tmp_path: Path) -> None:
    folder = index_folder(tmp_path)
    first, second, third = days(folder, 3)
    damage(second.folder / INDEX)
    damage(third.folder / INDEX)
    done = repair(folder)
    assert done is not None
    assert done.damaged == (third.name, second.name)
    assert served(folder) == first.name


def test_where_nothing_is_whole_a_rebuild_is_asked_for_and_works(tmp_path: Path) -> None:
    folder = index_folder(tmp_path)
    only = built(folder, last=FEW)
    damage(only.folder / INDEX)
    with pytest.raises(ContractError, match="Run faiss_rebuild"):
        repair(folder)
    with pytest.raises(ContractError, match="has changed since it was written"):
        incremented(folder, rows(FEW, FEW + 10))
    assert served(folder) == only.name
    (only.folder / MANIFEST).unlink()
    with pytest.raises(ContractError, match="which is not there"):
        folder.current()
    again = built(folder, last=FEW)
    assert served(folder) == again.name
    assert repair(folder) is None


def test_a_manifest_that_was_edited_is_refused_by_its_field(tmp_path: Path) -> None:
    folder = index_folder(tmp_path)
    version = built(folder, last=FEW)
    path = version.folder / MANIFEST
    path.write_text(path.read_text().replace('"ntotal": 60', '"ntotal": "many"'))
    with pytest.raises(ContractError, match=r"manifest.json is damaged \(ntotal: "):
        folder.current()


def test_a_published_file_taken_away_by_hand_comes_back(tmp_path: Path) -> None:
    folder = index_folder(tmp_path)
    version = built(folder, last=FEW)
    (tmp_path / "published" / "muse_vibe.index").unlink()
    with folder.alone("look"):
        pass
    assert (tmp_path / "published" / "muse_vibe.index").samefile(version.folder / INDEX)


def test_a_published_folder_that_cannot_be_written_leaves_what_is_served(tmp_path: Path) -> None:
    folder = index_folder(tmp_path)
    version = built(folder, last=FEW)
    with folder.alone("increment") as alone:
        base = begin(alone)
        (tmp_path / "published").rename(tmp_path / "moved")
        (tmp_path / "published").write_text("a file stands here")
        with pytest.raises(EmbsearchError, match="published"):
            increment(alone, base, [], ids(0, 1), origin(1), options=LOW)
    assert served(folder) == version.name
    assert folder.all() == [version.name]


def test_ids_are_the_tables_own(tmp_path: Path) -> None:
    version = built(index_folder(tmp_path), last=BASE)
    assert version.ids()[-1] == ids(BASE - 1, BASE)[0] > BASE
