"""The demo of the indexes over MySQL on a stack that runs, with few rows of two types: what its user sees."""

from __future__ import annotations

import re
import shlex
import shutil

from include.catalog.index_types import INDEX_TYPES, PROGRAMS
from include.faiss_index.reader import IndexReader
from include.mysql.connection import MysqlConnection, Session
from include.mysql.playlist_tables import playlist_table
from include.mysql.schema import migrate
from include.mysql.seed_marks import empty
from include.settings import PROJECT_ROOT
from tests.integration.running_stack import RunningStack

COMMAND = ("demo-faiss", "--rows", "300", "--types", "song,artist")
EMBSEARCH = str(PROJECT_ROOT / ".local" / "venvs" / "airflow" / "bin" / "embsearch")


def leave_to_the_demo(running: RunningStack) -> None:
    """Empty all tables and drop all indexes, as the demo asks the owner of others to do."""
    settings = running.settings
    migrate(settings)
    shutil.rmtree(settings.state_dir / "faiss", ignore_errors=True)
    with Session(MysqlConnection.from_settings(settings).owned(settings)) as session:
        for kind in INDEX_TYPES.values():
            empty(session, kind.table)
    with Session(MysqlConnection.backup(settings).owned(settings)) as session:
        for programme in PROGRAMS:
            empty(session, playlist_table(programme))


def test_it_shows_three_days_a_deletion_a_roll_back_and_playlists_and_commands_that_work(
    running_stack: RunningStack,
) -> None:
    leave_to_the_demo(running_stack)
    said = running_stack.run(EMBSEARCH, *COMMAND)
    steps = [[cell.strip() for cell in line.strip("│ ").split("│")] for line in said.splitlines() if line[:1] == "│"]
    built, *days, back = steps
    assert (built[0], back[0]) == ("built", "rolled back")
    assert [re.sub(r"\d", "9", day[0]) for day in days] == ["day 9999-99-99"] * 3
    for _, indexes, rows, new, updated, deleted, *_ in days:
        assert indexes == "2"
        assert all(int(number) > 0 for number in (rows, new, updated, deleted))
    assert [step[1] for step in (built, back)] == ["2", "1"]
    found = re.search(r"a search for the vector of song (\d+) finds (\d+)", said)
    then = re.search(r"song (\d+) was deleted in MySQL; after day 3 a search finds (\d+) instead", said)
    assert found
    assert then
    assert found[1] == found[2] == then[1] != then[2]
    versions = re.search(r"song served (\S+) and, rolled back, serves (\S+)", said)
    assert versions
    assert versions[1] != versions[2]
    reader = IndexReader(running_stack.settings.state_dir / "faiss" / "song")
    assert reader.version == versions[2]
    assert re.search(r"\d+ playlist sets in Redis, [\d,]+ bytes, written in one transaction", said)
    assert running_stack.api._url in said
    commands = said.partition("Try:\n")[2].splitlines()[:4]
    answers = [running_stack.run(*shlex.split(line)) for line in (commands[0], *commands[2:])]
    assert versions[2] in answers[0]
    assert int(answers[-1]) == len(reader.ids)


def test_rows_that_it_did_not_make_end_it(running_stack: RunningStack) -> None:
    settings, table = running_stack.settings, INDEX_TYPES["album_name"].table
    leave_to_the_demo(running_stack)
    with Session(MysqlConnection.from_settings(settings).owned(settings)) as session:
        session.tell(f"INSERT INTO {table} (song_id) VALUES ('mine')", of=table)
        try:
            said = running_stack.run(EMBSEARCH, "demo-faiss", "--rows", "300", "--types", "song,album_name", status=1)
            assert f"{settings.mysql_url}: {table} has" in said
            assert "The demo replaces nothing but its own rows." in said
            assert session.ask(f"SELECT song_id FROM {table}", of=table) == (("mine",),)
        finally:
            empty(session, table)


def test_an_index_of_other_rows_ends_it(running_stack: RunningStack) -> None:
    leave_to_the_demo(running_stack)
    settings, table = running_stack.settings, INDEX_TYPES["song_name"].table
    with Session(MysqlConnection.from_settings(settings).owned(settings)) as session:
        session.tell("DELETE FROM embsearch_test_data WHERE table_name = %s", (table,), of=table)
        pointer = settings.state_dir / "faiss" / "song_name" / "CURRENT"
        pointer.parent.mkdir(parents=True)
        pointer.write_text("song_name__20261120t165800000-1a2b3c4d\n")
        said = running_stack.run(EMBSEARCH, "demo-faiss", "--rows", "300", "--types", "song,song_name", status=1)
        assert f"{pointer.parent} serves an index of rows that are not the demo's" in said
        assert session.ask(f"SELECT COUNT(*) FROM {table}", of=table) == ((0,),)
    shutil.rmtree(settings.state_dir / "faiss")


def test_a_connection_to_other_servers_ends_it_before_a_row_is_written(running_stack: RunningStack) -> None:
    body = {"connection_id": "redis_default", "conn_type": "redis", "host": "staging"}
    running_stack.api._call("POST", "/api/v2/connections", body)
    try:
        said = running_stack.run(EMBSEARCH, *COMMAND, status=1)
        assert "Airflow has the connection redis_default" in said
        assert "Filling" not in said
    finally:
        running_stack.api._send("DELETE", "/api/v2/connections/redis_default", None)
