"""Tables as users have them: other columns, times and rights; and what is said of those that cannot be read."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta, timezone
from typing import Any

import numpy as np
import pytest

from include.errors import AccessDenied, InputError, ServiceUnavailable
from include.local_stack.ports import free_ports
from include.mysql.connection import MysqlConnection, Session
from include.mysql.embedding_table import open_embedding_table
from include.mysql.playlist_tables import PlaylistTables
from tests.integration.mariadb_server import MariadbDatabase
from tests.integration.mysql.conftest import KIND, D, Table, day, naive, vector

OTHER_COLUMNS = {
    "mysql_id_column": "ID",
    "mysql_song_column": "track",
    "mysql_vector_column": "order",  # a word of the language
    "mysql_updated_column": "",
    "mysql_created_column": "made$at",
    "mysql_deleted_column": "",
}
SEOUL = timezone(timedelta(hours=9))


def test_columns_of_other_names_are_read_and_deletions_need_no_column(database: MariadbDatabase) -> None:
    database.tell(f"CREATE TABLE {KIND.table} (ID INT PRIMARY KEY, track INT, `order` BLOB, `made$at` DATETIME)")
    rows = [(i, 100 + i, vector(i), naive(day(i))) for i in range(1, 4)]
    database.tell(f"INSERT INTO {KIND.table} VALUES (%s, %s, %s, %s)", rows, many=True)
    with open_embedding_table(database.settings(**OTHER_COLUMNS), KIND) as table:
        assert table.live_ids(day(3)).tolist() == [1, 2]
        assert [page.rows.ids.tolist() for page in table.changed(day(2), day(4))] == [[2, 3]]
        assert table.ids_of_songs(["102"]) == {"102": [2]}
        assert table.span().last_change == day(3)
        database.tell(f"DELETE FROM {KIND.table} WHERE ID = 2")
        assert table.live_ids().tolist() == [1, 3]


def test_a_table_without_any_times_is_read_whole_and_has_no_windows(database: MariadbDatabase) -> None:
    database.tell(f"CREATE TABLE {KIND.table} (idx INT PRIMARY KEY, song_id INT, embedding BLOB)")
    database.tell(f"INSERT INTO {KIND.table} VALUES (1, 1, %s)", (vector(1),))
    without = dict.fromkeys(("mysql_updated_column", "mysql_created_column", "mysql_deleted_column"), "")
    with open_embedding_table(database.settings(**without), KIND) as table:
        assert table.live_ids(day(-1000)).tolist() == [1]
        assert list(table.changed(day(-1000), day(1000))) == []
        assert table.span().last_change is None


def test_half_precision_vectors_are_read(table: Table) -> None:
    table.add([1])
    table.set(1, embedding=np.arange(D, dtype="<f2").tobytes())
    with table.open(mysql_vector_type="float16") as opened:
        (page,) = opened.pages()
    assert page.rows.vectors.tolist() == [list(range(D))]


@pytest.mark.parametrize("kind", ["DATETIME(3)", "TIMESTAMP(3) NULL"])
def test_times_are_in_the_zone_that_the_settings_name(table: Table, kind: str) -> None:
    table.database.tell(f"ALTER TABLE {KIND.table} MODIFY updated_at {kind}")
    table.add([1])
    noon = datetime(2026, 11, 20, 12, tzinfo=SEOUL)
    written = "FROM_UNIXTIME(%s)" if kind.startswith("TIMESTAMP") else "'2026-11-20 12:00:00'"
    arguments = (noon.timestamp(),) if kind.startswith("TIMESTAMP") else ()
    table.database.tell(f"UPDATE {KIND.table} SET updated_at = {written}", arguments)
    with table.open(mysql_time_zone="Asia/Seoul") as opened:
        assert opened.span().last_change == noon
        assert opened.live_ids(noon).tolist() == []
        assert opened.live_ids(noon + timedelta(seconds=1)).tolist() == [1]
        (page,) = opened.changed(noon.astimezone(UTC), noon + timedelta(seconds=1))
        assert page.rows.ids.tolist() == [1]


@pytest.mark.parametrize(
    ("settings", "said"),
    [
        ({"mysql_id_column": "id"}, "has no column id. Set EMBSEARCH_MYSQL_ID_COLUMN; there are: idx, song_id, "),
        ({"mysql_vector_column": "v"}, "has no column v. Set EMBSEARCH_MYSQL_VECTOR_COLUMN; there are: "),
        ({"mysql_updated_column": "changed"}, "has no column changed. Set EMBSEARCH_MYSQL_UPDATED_COLUMN"),
        ({"mysql_id_column": "song_id", "mysql_song_column": "idx"}, "song_id is neither the primary nor a unique key"),
        ({"mysql_vector_column": "song_id", "mysql_song_column": "idx"}, "the column of vectors holds text"),
    ],
)
def test_a_column_that_is_not_there_or_cannot_be_used_is_told_with_its_setting(
    table: Table, settings: dict[str, Any], said: str
) -> None:
    table.add([1])
    with pytest.raises(InputError, match=said), table.open(**settings) as opened:
        list(opened.pages())


def test_a_missing_table_and_a_missing_database_are_told(table: Table) -> None:
    settings = table.database.settings()
    missing = replace(KIND, table="tb_none")
    with (
        pytest.raises(InputError, match=r"has no table tb_none.*embsearch mysql migrate"),
        open_embedding_table(settings, missing),
    ):
        pass
    elsewhere = settings.model_copy(update={"mysql_url": settings.mysql_url + "_none"})
    with (
        pytest.raises(InputError, match="Unknown database.*EMBSEARCH_MYSQL_URL"),
        open_embedding_table(elsewhere, KIND),
    ):
        pass


def test_a_view_is_read_as_a_table(table: Table) -> None:
    table.add([1, 2])
    table.database.tell(f"CREATE VIEW tb_view AS SELECT * FROM {KIND.table}")
    with open_embedding_table(table.database.settings(), replace(KIND, table="tb_view")) as opened:
        assert opened.live_ids().tolist() == [1, 2]


def test_a_wrong_password_is_told_without_showing_it(table: Table) -> None:
    settings = table.database.settings(mysql_password="wr0ng")
    with (
        pytest.raises(AccessDenied, match="EMBSEARCH_MYSQL_USER and EMBSEARCH_MYSQL_PASSWORD") as raised,
        open_embedding_table(settings, KIND),
    ):
        pass
    assert "wr0ng" not in str(raised.value)


def test_a_server_that_is_not_there_is_told_at_once(database: MariadbDatabase) -> None:
    settings = database.settings(mysql_url=f"mysql://127.0.0.1:{free_ports(1)[0]}/music")
    with pytest.raises(ServiceUnavailable, match=r"cannot connect: .*make up"), open_embedding_table(settings, KIND):
        pass


def test_the_login_of_the_jobs_only_reads_and_sees_no_other_database(table: Table) -> None:
    with Session(MysqlConnection.from_settings(table.database.settings())) as session:
        for statement in (f"DELETE FROM {KIND.table}", "CREATE TABLE other (a INT)", "SELECT * FROM mysql.global_priv"):
            with pytest.raises(AccessDenied):
                session.tell(statement, of="a table")
        shown = {name for (name,) in session.ask("SHOW DATABASES", of="databases")}
    others = {name for name in shown if not name.startswith(("music", "embsearch_images"))}
    assert others == {"information_schema"}


def test_a_session_of_the_jobs_does_not_write_even_with_a_login_that_may(table: Table) -> None:
    owner = {"mysql_user": "embsearch_owner", "mysql_password": table.database.settings().mysql_owner_password}
    with table.open(**owner) as opened, pytest.raises(Exception, match="READ ONLY"):
        opened.session.tell(f"DELETE FROM {KIND.table}", of=KIND.table)


def test_the_songs_of_a_programme_come_once_in_their_order(database: MariadbDatabase) -> None:
    database.tell_backup("CREATE TABLE tb_song_drp_m (idx INT PRIMARY KEY, song_id VARCHAR(32), deleted_at DATETIME)")
    rows = [(i, f"S{i % 30}", None) for i in range(1, 41)] + [
        (50, "gone", naive(day(0))),
        (51, None, None),
        (52, "last", None),
    ]
    database.tell_backup("INSERT INTO tb_song_drp_m VALUES (%s, %s, %s)", rows, many=True)
    with PlaylistTables(database.settings(mysql_page_rows=7)) as tables:
        assert tables.songs_of("drp") == [*(f"S{i}" for i in range(1, 30)), "S0", "last"]
        with pytest.raises(InputError, match=r"has no table tb_song_xyz_m.*EMBSEARCH_BACKUP_MYSQL_URL"):
            tables.songs_of("xyz")
        with pytest.raises(InputError, match="cannot name a table"):
            tables.songs_of("x`; DROP TABLE y")
    renamed = database.settings(backup_mysql_song_column="track")
    with PlaylistTables(renamed) as tables, pytest.raises(InputError, match="Set EMBSEARCH_BACKUP_MYSQL_SONG_COLUMN"):
        tables.songs_of("drp")
