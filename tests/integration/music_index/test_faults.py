"""What must not change the result: a killed run, a full disk, a server that goes away, bytes that changed."""

from __future__ import annotations

from pathlib import Path

import pytest

from include.errors import ContractError
from include.faiss_index.versions import CURRENT
from tests.integration.music_index import processes
from tests.integration.music_index.music import SONG, Music


@pytest.fixture
def two_days(music: Music) -> Music:
    """An index of yesterday, and a table of today."""
    music.load(SONG)
    music.rebuild()
    music.play(1)
    music.increment(1)
    music.play(2)
    return music


def files(music: Music) -> set[str]:
    """All files of the index but the locks and what is no part of a version."""
    root = music.index().root
    found = {str(path.relative_to(root)) for path in root.rglob("*") if path.is_file()}
    return {name for name in found if "lock" not in name}


def tear(path: Path) -> None:
    path.chmod(0o644)
    with path.open("r+b") as file:
        file.seek(path.stat().st_size // 2)
        file.write(b"\xff" * 8)


@pytest.mark.parametrize("place", list(processes.PLACES))
def test_an_increment_killed_anywhere_leaves_what_was_served_and_a_rerun_ends_as_if_nothing_had_been(
    two_days: Music, place: str
) -> None:
    served, before = two_days.served().name, files(two_days)
    processes.killed(two_days, 2, place)
    assert two_days.served().name == served
    two_days.served().check()
    found = two_days.increment(2)
    assert found["outcome"] == "published"
    built = two_days.other("built at once")
    built.rebuild(2)
    assert two_days.ids().tolist() == built.ids().tolist()
    assert len(two_days.index().all()) == 3
    left = {name for name in files(two_days) - before if not name.startswith(f"versions/{found['version']}/")}
    assert left == set()


def test_a_full_disk_leaves_what_was_served_and_says_so(two_days: Music) -> None:
    served, before = two_days.served().name, files(two_days)
    said = processes.outcome(processes.start(two_days, "starved", "2", "100000"))
    assert said.startswith("SetupError: ")
    assert "Free some space there" in said
    assert two_days.served().name == served
    assert files(two_days) == before
    assert two_days.increment(2)["outcome"] == "published"


def test_a_mariadb_that_is_stopped_in_the_middle_and_started_again_loses_nothing(two_days: Music) -> None:
    process = processes.start(two_days, "stopped", "2", "read")
    processes.wait_at_work(process)
    server = two_days.database.server
    server.stop()
    try:
        assert process.stdin is not None
        process.stdin.write("go on\n")
        process.stdin.flush()
    finally:
        server.start()
    assert processes.outcome(process) == "published"
    built = two_days.other("built at once")
    built.rebuild(2)
    assert two_days.ids().tolist() == built.ids().tolist()


def test_a_served_index_whose_bytes_changed_is_found_put_back_and_reported_and_the_run_goes_on(
    two_days: Music, caplog: pytest.LogCaptureFixture
) -> None:
    damaged = two_days.served()
    tear(damaged.folder / "index.faiss")
    with caplog.at_level("ERROR", "include"):
        found = two_days.increment(2)
    assert found["repaired"]["damaged"] == [damaged.name]
    assert "has changed since it was written" in found["repaired"]["reason"]
    assert "which is damaged" in caplog.text
    assert damaged.name not in two_days.index().all()
    built = two_days.other("built at once")
    built.rebuild(2)
    assert two_days.ids().tolist() == built.ids().tolist()


def test_a_served_version_without_a_readable_manifest_is_put_back_alike(two_days: Music) -> None:
    damaged = two_days.served()
    (damaged.folder / "manifest.json").write_text("{")
    assert two_days.increment(2)["repaired"]["damaged"] == [damaged.name]


def test_when_nothing_is_whole_the_way_out_is_named(two_days: Music) -> None:
    for name in two_days.index().all():
        tear(two_days.index().versions / name / "index.faiss")
    with pytest.raises(ContractError, match=r"Run faiss_rebuild"):
        two_days.increment(2)
    assert (two_days.index().root / CURRENT).exists()
    assert two_days.rebuild(2)["outcome"] == "published"
