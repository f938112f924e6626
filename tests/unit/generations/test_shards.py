from pathlib import Path

import pytest

from include.errors import ContractError
from include.generations.counts import Counts
from include.generations.files import sha256_of
from include.generations.shards import BuildFolder, ShardManifest


def finish(folder: BuildFolder, index: int = 0, key: str = "run-0") -> None:
    shard = folder.shard(index)
    shard.folder.mkdir(parents=True)
    shard.part.write_bytes(b"rows")
    shard.finish(ShardManifest(key, index, "in", "model", Counts(1, 1), sha256_of(shard.part), {"embed": 0.5}))


def test_a_shard_without_manifest_is_still_to_do(tmp_path: Path) -> None:
    folder = BuildFolder(tmp_path, "keywords__1")
    folder.shard(0).folder.mkdir(parents=True)
    folder.shard(0).part.write_bytes(b"half")
    assert folder.shard(0).finished(key="run-0") is None


def test_a_finished_shard_is_found_again(tmp_path: Path) -> None:
    folder = BuildFolder(tmp_path, "keywords__1")
    finish(folder)
    manifest = folder.shard(0).finished(key="run-0")
    assert manifest is not None
    assert manifest.counts == Counts(1, 1)
    assert manifest.seconds == {"embed": 0.5}


@pytest.mark.parametrize("damage", ["part", "manifest", "gone"])
def test_damage_is_an_error_and_not_an_absence(tmp_path: Path, damage: str) -> None:
    folder = BuildFolder(tmp_path, "keywords__1")
    finish(folder)
    shard = folder.shard(0)
    if damage == "part":
        shard.part.write_bytes(b"rot!")
    elif damage == "gone":
        shard.part.unlink()
    else:
        shard.manifest.write_text('{"key": "run-0"')
    with pytest.raises(ContractError, match="00000"):
        shard.finished(key="run-0")


def test_another_runs_shard_is_refused(tmp_path: Path) -> None:
    folder = BuildFolder(tmp_path, "keywords__1")
    finish(folder, key="other-0")
    with pytest.raises(ContractError, match="belongs to another run"):
        folder.shard(0).finished(key="run-0")


def test_a_damaged_plan_says_what_to_remove(tmp_path: Path) -> None:
    folder = BuildFolder(tmp_path, "keywords__1")
    assert folder.read_plan() is None
    folder.write_plan({"rows": 3})
    assert folder.read_plan() == {"rows": 3}
    (folder.folder / "plan.json").write_text("{")
    with pytest.raises(ContractError, match=r"Remove .*keywords__1"):
        folder.read_plan()
