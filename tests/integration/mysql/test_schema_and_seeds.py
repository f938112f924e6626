"""Tables made by migrations, and test data in them."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from pydantic import SecretStr
from typer.testing import CliRunner

from include.catalog.index_types import INDEX_TYPES, PROGRAMS, index_type
from include.cli.app import app
from include.errors import AccessDenied, ContractError, InputError
from include.mysql.connection import MysqlConnection, Session
from include.mysql.embedding_table import open_embedding_table
from include.mysql.playlist_tables import PlaylistTables
from include.mysql.schema import MIGRATIONS, Migration, apply, migrate
from include.mysql.seed_plan import SeedPlan
from include.mysql.seeds import ANY, Seeder
from tests.integration.mariadb_server import MariadbDatabase

START = datetime(2026, 1, 1, 7, 58, tzinfo=UTC)
SONG = index_type("song")


def owner(database: MariadbDatabase) -> Session:
    settings = database.settings()
    return Session(MysqlConnection.from_settings(settings).owned(settings))


def checksum(session: Session, table: str) -> int:
    ((_, value),) = session.ask(f"CHECKSUM TABLE {table}", of=table)
    return int(value)


def test_migrations_make_what_is_read_and_again_make_nothing(database: MariadbDatabase) -> None:
    settings = database.settings()
    assert migrate(settings) == ["music/0001_embedding_tables", "backup/0001_playlist_tables"]
    assert migrate(settings) == []
    for kind in INDEX_TYPES.values():
        with open_embedding_table(settings, kind) as table:
            assert table.span().rows == 0
    with PlaylistTables(settings) as tables:
        assert [tables.songs_of(programme) for programme in PROGRAMS] == [[]] * len(PROGRAMS)


def test_a_migration_that_was_interrupted_is_applied_again_and_keeps_the_rows(database: MariadbDatabase) -> None:
    migration = Migration.read(MIGRATIONS / "music" / "0001_embedding_tables.sql")
    for statement in migration.statements[:3]:
        database.tell(statement)
    database.tell(f"INSERT INTO {SONG.table} (song_id) VALUES ('S1')")
    with owner(database) as session:
        assert apply(session, [migration]) == [migration.name]
        assert session.ask(f"SELECT COUNT(*) FROM {SONG.table}", of=SONG.table) == ((1,),)


def test_a_migration_that_has_changed_since_is_refused(database: MariadbDatabase) -> None:
    first = Migration(1, "0001_a", ("CREATE TABLE a (b INT)",), "1" * 64)
    with owner(database) as session:
        apply(session, [first])
        with pytest.raises(ContractError, match="0001_a was applied .* with other content"):
            apply(session, [replace(first, sha256="2" * 64)])


def test_migrations_leave_tables_of_other_columns_to_their_owner(database: MariadbDatabase) -> None:
    with pytest.raises(InputError, match="EMBSEARCH_MYSQL_ID_COLUMN is 'id', but migrations make the column 'idx'"):
        migrate(database.settings(mysql_id_column="id"))
    with pytest.raises(AccessDenied):
        migrate(database.settings(mysql_owner_user=None))


def test_a_seeded_table_lives_as_planned(database: MariadbDatabase) -> None:
    settings, plan = database.settings(), SeedPlan(SONG, 400, START)
    migrate(settings)
    with Seeder(settings) as seeder, open_embedding_table(settings, SONG) as table:
        assert seeder.load(plan).written == 400
        before = set(table.live_ids().tolist())
        day = plan.day(1)
        done = seeder.play(plan, 1)
        after = set(table.live_ids().tolist())
        gone = {deletion.id for deletion in day.soft_deletions} | set(day.hard_deletions)
        assert after == (before | {row.id for row in day.rows if row.id > max(before)}) - gone
        assert done.bad == sum(len(page.bad) for page in table.changed(START, START + timedelta(days=1)))
        known = set(table.live_ids(START + timedelta(days=1)).tolist())
        seeder.play(plan, 2)
        late = set(table.live_ids(START + timedelta(days=1)).tolist()) - known
        assert len(late) == plan.day(2).late > 0


def test_a_day_played_again_changes_nothing_and_the_same_seed_gives_the_same_table(database: MariadbDatabase) -> None:
    settings, plan = database.settings(), SeedPlan(SONG, 400, START)
    migrate(settings)
    with Seeder(settings, replaces=ANY) as seeder, owner(database) as session:
        sums = []
        for _ in range(2):
            seeder.load(plan)
            for number in (1, 2, 2):
                seeder.play(plan, number)
                sums.append(checksum(session, SONG.table))
        assert sums[1] == sums[2]
        assert sums[:3] == sums[3:]


def test_programmes_have_songs_of_the_tables_and_a_few_that_nobody_knows(database: MariadbDatabase) -> None:
    settings = database.settings()
    migrate(settings)
    with Seeder(settings) as seeder:
        seeder.load(SeedPlan(SONG, 1000, START))
        counts = seeder.playlists(1000)
    with PlaylistTables(settings) as tables, open_embedding_table(settings, SONG) as table:
        for programme in PROGRAMS:
            songs = tables.songs_of(programme)
            assert len(songs) == counts[programme] == 51
            assert 40 < len(table.ids_of_songs(songs)) < 51


@pytest.fixture
def own_environment(
    bare_settings: None, database: MariadbDatabase, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    settings = database.settings(log_dir=tmp_path)
    for name in settings.model_fields_set:
        value = getattr(settings, name)
        shown = value.get_secret_value() if isinstance(value, SecretStr) else str(value)
        monkeypatch.setenv(f"EMBSEARCH_{name.upper()}", shown)


def test_the_commands_make_tables_and_days(own_environment: None) -> None:
    def said(*words: str, status: int = 0) -> str:
        done = CliRunner().invoke(app, words)
        assert done.exit_code == status, done.output
        return done.output

    generate = ("generate", "vectors", "--rows", "300", "--types", "artist", "--start", START.isoformat())
    assert "applied music/0001_embedding_tables" in said("mysql", "migrate")
    assert "Nothing is missing." in said("mysql", "migrate")
    assert "tb_embedding_bgem3_artist_h: 300 rows written" in said(*generate)
    assert "has rows already. Give --overwrite" in said(*generate, status=1)
    shown = said(*generate, "--day", "1")
    assert "tb_embedding_bgem3_artist_h: 38 rows written, 20 of them changed, 0 late, 8 bad; 20 deleted" in shown
    assert "is no moment with a time zone" in said(*generate[:-1], "2026-01-01", status=2)
