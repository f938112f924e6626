"""Test data replace nothing but test data, whatever ended the process that wrote them."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from datetime import UTC, datetime
from pathlib import Path

import pytest
from pydantic import SecretStr

from include.catalog.index_types import ALL, index_type, index_types
from include.cli.demo_faiss import fill
from include.errors import InputError
from include.mysql.schema import migrate
from include.mysql.seed_marks import DEMO, GENERATE, Mark, mark_of
from include.mysql.seeds import ANY, play_day, seed
from include.settings import PROJECT_ROOT, Settings
from tests.integration.mariadb_server import MariadbDatabase
from tests.integration.mysql.test_schema_and_seeds import checksum, owner

START = datetime(2026, 1, 1, 7, 58, tzinfo=UTC)
SONG, ARTIST = index_type("song"), index_type("artist")
KINDS = (SONG, ARTIST)
ROWS = 300
PLAYLIST = "tb_song_drp_m"
MANY = 20_000  # rows of seven tables: they take long enough to be interrupted in the midst


def count(database: MariadbDatabase, table: str) -> int:
    with owner(database) as session:
        ((found,),) = session.ask(f"SELECT COUNT(*) FROM {table}", of=table)
        return int(found)


@pytest.fixture
def seeded(database: MariadbDatabase) -> Settings:
    settings = database.settings()
    migrate(settings)
    seed(settings, KINDS, rows=ROWS, start=START)
    return settings


def test_rows_are_replaced_only_when_that_is_asked_for(database: MariadbDatabase, seeded: Settings) -> None:
    where = f"mysql://127.0.0.1:{database.server.port}/music_{database.name}"
    with pytest.raises(InputError, match=f"{where}: {SONG.table} has rows already. Give --overwrite"):
        seed(seeded, KINDS, rows=ROWS, start=START)
    seed(seeded, KINDS, rows=ROWS + 100, start=START, days=2, replaces=ANY)
    seed(seeded, KINDS, rows=ROWS, start=START, replaces=ANY)
    assert count(database, SONG.table) == ROWS
    with owner(database) as session:
        assert mark_of(session, SONG.table) == Mark(GENERATE, ROWS, 0)


@pytest.mark.parametrize(("number", "song"), [(2, "S999999999"), (10**9, "S000000001")])
def test_one_row_of_somebody_else_keeps_all_tables_as_they_are(
    database: MariadbDatabase, seeded: Settings, number: int, song: str
) -> None:
    database.tell(f"DELETE FROM {ARTIST.table} WHERE idx = %s", (number,))
    database.tell(f"INSERT INTO {ARTIST.table} (idx, song_id) VALUES (%s, %s)", (number, song))
    with owner(database) as session:
        before = [checksum(session, kind.table) for kind in KINDS]
        with pytest.raises(InputError, match=f"row {number} of {ARTIST.table} is no test data, so nothing is replaced"):
            seed(seeded, KINDS, rows=ROWS, start=START, replaces=ANY)
        assert [checksum(session, kind.table) for kind in KINDS] == before


def test_a_programme_with_a_song_of_somebody_else_keeps_all_tables_as_they_are(
    database: MariadbDatabase, seeded: Settings
) -> None:
    database.tell_backup(f"INSERT INTO {PLAYLIST} (song_id) VALUES ('a hit')")
    with owner(database) as session:
        before = checksum(session, SONG.table)
        with pytest.raises(InputError, match=f"_backup: row .* of {PLAYLIST} is no test data.*EMBSEARCH_BACKUP_MYSQL"):
            seed(seeded, KINDS, rows=ROWS, start=START, replaces=ANY)
        assert checksum(session, SONG.table) == before


def test_rows_without_a_mark_are_never_replaced_though_they_look_alike(
    database: MariadbDatabase, seeded: Settings
) -> None:
    database.tell("DROP TABLE embsearch_test_data")
    with pytest.raises(InputError, match="has rows that are no test data, which are never replaced"):
        seed(seeded, KINDS, rows=ROWS, start=START, replaces=ANY)


def test_the_demo_replaces_its_own_rows_and_no_other_test_data(database: MariadbDatabase, seeded: Settings) -> None:
    with pytest.raises(InputError, match="has test data of `generate vectors`.*The demo replaces nothing but its own"):
        fill(seeded, KINDS, START, rows=ROWS)
    for kind in KINDS:
        database.tell(f"TRUNCATE TABLE {kind.table}")
    with pytest.raises(InputError, match="tb_song_drp_m has test data of `generate vectors`"):
        fill(seeded, KINDS, START, rows=ROWS)
    assert count(database, SONG.table) == 0
    seed(seeded, KINDS, rows=ROWS, start=START, maker=DEMO, replaces=ANY)
    fill(seeded, KINDS, START, rows=ROWS + 100)
    assert count(database, SONG.table) == ROWS + 100


def test_a_day_passes_only_over_test_data_of_the_same_figures(database: MariadbDatabase, seeded: Settings) -> None:
    with pytest.raises(InputError, match=f"{SONG.table} was filled with --rows {ROWS} --seed 0. Give the same"):
        play_day(seeded, [SONG], 1, rows=ROWS + 1, start=START)
    other = index_type("album_name")
    database.tell(f"INSERT INTO {other.table} (song_id) VALUES ('mine')")
    with pytest.raises(InputError, match=f"{other.table} has no test data, so no day of them can pass"):
        play_day(seeded, [other], 1, rows=ROWS, start=START)
    database.tell(f"UPDATE {SONG.table} SET song_id = 'mine'")
    with owner(database) as session:
        before = checksum(session, SONG.table)
        with pytest.raises(InputError, match=f"of {SONG.table} is no test data, so no day passes"):
            play_day(seeded, [SONG], 1, rows=ROWS, start=START)
        assert checksum(session, SONG.table) == before


@pytest.mark.parametrize("how", [signal.SIGINT, signal.SIGKILL])
def test_after_a_demo_that_ended_while_it_filled_its_tables_the_next_one_goes_on(
    database: MariadbDatabase, tmp_path: Path, how: signal.Signals
) -> None:
    settings = database.settings()
    code = (
        "from datetime import datetime, UTC; from include.cli.demo_faiss import fill;"
        "from include.settings import Settings; from include.catalog.index_types import ALL, index_types;"
        f"fill(Settings(_env_file=None), index_types(ALL), datetime.now(UTC), rows={MANY})"
    )
    values = {name: getattr(settings, name) for name in settings.model_fields_set}
    plain = {name: v.get_secret_value() if isinstance(v, SecretStr) else str(v) for name, v in values.items()}
    environment = {**os.environ, **{f"EMBSEARCH_{name.upper()}": value for name, value in plain.items()}}
    with (tmp_path / "log").open("wb") as log:
        process = subprocess.Popen(
            [sys.executable, "-c", code], cwd=PROJECT_ROOT, env=environment, stdout=log, stderr=log
        )
    first = index_types(ALL)[0].table
    while process.poll() is None and not _has_rows(database, first):
        time.sleep(0.02)
    process.send_signal(how)
    assert process.wait(60) != 0, (tmp_path / "log").read_text()
    assert 0 < count(database, first) < MANY
    fill(settings, KINDS, START, rows=ROWS)
    assert count(database, SONG.table) == count(database, ARTIST.table) == ROWS


def _has_rows(database: MariadbDatabase, table: str) -> bool:
    try:
        return count(database, table) > 0
    except InputError:  # not made yet
        return False
