"""The jobs as commands, with the documented names of their logs."""

from __future__ import annotations

import subprocess
from datetime import datetime

import pytest

from include.local_stack import mariadb
from include.settings import PROJECT_ROOT
from tests.integration.mariadb_server import PASSWORDS
from tests.integration.music_index.music import ARTIST, SONG, Music
from tests.integration.running_stack import environment


@pytest.fixture
def commands(music: Music) -> Music:
    """Two filled tables, a day later."""
    music.load(SONG, ARTIST)
    music.play(1)
    return music


def embsearch(music: Music, *words: str, status: int = 0) -> str:
    done = subprocess.run(
        [".local/venvs/airflow/bin/embsearch", "faiss", *words],
        cwd=PROJECT_ROOT, capture_output=True, text=True, encoding="utf-8", check=False,
        env=environment(music.settings) | {"EMBSEARCH_MYSQL_PASSWORD": PASSWORDS[mariadb.READER]},
    )  # fmt: skip
    assert done.returncode == status, done.stderr
    assert "Traceback" not in done.stderr
    return done.stdout + done.stderr


def log_of(music: Music, job: str) -> str:
    return (music.settings.log_dir / job / f"{job}_{datetime.now():%Y%m%d}.log").read_text()  # noqa: DTZ005 — local time


def test_train_build_increment_info_and_roll_back_each_write_the_log_of_their_day(commands: Music) -> None:
    assert "IDMap2,Flat" in embsearch(commands, "train", "--type", "song")
    built = embsearch(commands, "build", "--type", "song")
    first = commands.served().name
    assert first in built
    rows = len(commands.ids())
    assert f"song: read {rows + 12:,} = in the index {rows:,} + not (3 null, 3 wrong length" in built
    commands.play(2)
    assert "song" in embsearch(commands, "increment", "--type", "song", "--date", "2026-01-03")
    assert "nothing new" in embsearch(commands, "increment", "--type", "song", "--date", "2026-01-03")
    second = commands.served().name
    told = embsearch(commands, "info", "--type", "song,artist")
    assert all(word in told for word in ("nlist", "is_trained", "ntotal", "recall_at_10", first, second))
    assert "artist: nothing is served yet. Run: embsearch faiss rebuild --type artist" in told
    assert f"song serves {first}" in embsearch(commands, "rollback", "--type", "song")
    for job in ("train_faiss", "add_faiss", "add_daily_faiss", "info_faiss"):
        assert PASSWORDS[mariadb.READER] not in log_of(commands, job)
    assert "is set aside: null" in log_of(commands, "add_faiss")
    assert "song serves" in log_of(commands, "add_daily_faiss")


def test_a_type_that_fails_stops_no_other_and_the_command_fails_with_its_name(commands: Music) -> None:
    commands.tell("RENAME TABLE {table} TO gone")
    said = embsearch(commands, "rebuild", "--type", "song,artist", status=1)
    assert "1 of 2 index types failed, the others are done. song:" in said
    assert f"has no table {SONG.table}" in said
    assert commands.served(ARTIST).name in said
    assert f"no table {SONG.table}" in log_of(commands, "rebuild_faiss")
