"""Which tables hold test data: a mark is written before their first row, and nothing but test data is ever replaced.

A mark says by what figures the rows were made, so that a row that is none of them is found whoever wrote it.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

from include.errors import InputError
from include.mysql.columns import quoted
from include.mysql.connection import Session

MARKS = """
    CREATE TABLE IF NOT EXISTS embsearch_test_data (
        table_name VARCHAR(64) CHARACTER SET utf8mb4 COLLATE utf8mb4_bin NOT NULL PRIMARY KEY,
        made_by VARCHAR(32) NOT NULL,
        row_count BIGINT UNSIGNED NOT NULL,
        seed BIGINT UNSIGNED NOT NULL
    ) ENGINE = InnoDB DEFAULT CHARSET = utf8mb4
"""
NAME = "embsearch_test_data"
GENERATE, DEMO = "generate vectors", "demo-faiss"  # who makes test data
PAGE = 10_000  # rows
BLOCK = 1000  # ids in a statement

IsMade = Callable[[int, str], bool]
"""Whether test data may have a row with this id and song."""


@dataclass(frozen=True)
class Mark:
    """By what the test data in a table were made."""

    made_by: str
    rows: int  # of the first load; of a programme, among how many songs it has chosen
    seed: int


def mark_of(session: Session, table: str) -> Mark | None:
    """The mark of ``table``; None when it never had test data."""
    session.tell(MARKS, of=NAME)
    found = session.ask(f"SELECT made_by, row_count, seed FROM {NAME} WHERE table_name = %s", (table,), of=NAME)
    return Mark(str(found[0][0]), int(found[0][1]), int(found[0][2])) if found else None


def write_mark(session: Session, table: str, mark: Mark) -> None:
    """Say what ``table``, which is empty, is filled with from now on."""
    session.tell(MARKS, of=NAME)
    values = (table, mark.made_by, mark.rows, mark.seed)
    session.tell(f"REPLACE INTO {NAME} (table_name, made_by, row_count, seed) VALUES (%s, %s, %s, %s)", values, of=NAME)


def check_replaceable(
    session: Session, table: str, is_made: Callable[[Mark], IsMade], *, replaces: Sequence[str]
) -> None:
    """Check that ``table`` is empty, or has nothing but test data of one of ``replaces``.

    Raises:
        InputError: it has other rows; the message names the database.
    """
    where = session.connection.url
    rows = f"SELECT idx, song_id FROM {quoted(table)}"
    page = session.ask(f"{rows} ORDER BY idx LIMIT {PAGE}", of=table)
    if not page:
        return
    if not replaces:
        msg = f"{where}: {table} has rows already. Give --overwrite to replace those that are test data."
        raise InputError(msg)
    mark = mark_of(session, table)
    if mark is None or mark.made_by not in replaces:
        whose = "rows that are no test data" if mark is None else f"test data of `{mark.made_by}`"
        raise InputError(f"{where}: {table} has {whose}, which are never replaced. {_advice(session)}")
    made = is_made(mark)
    while page:
        for number, song in page:
            if not made(int(number), str(song)):
                msg = f"{where}: row {number} of {table} is no test data, so nothing is replaced. {_advice(session)}"
                raise InputError(msg)
        page = session.ask(f"{rows} WHERE idx > %s ORDER BY idx LIMIT {PAGE}", (page[-1][0],), of=table)


def check_day(
    session: Session, table: str, ids: Sequence[int], songs: Mapping[int, str], *, rows: int, seed: int
) -> None:
    """Check that ``table`` was filled by these figures, and that those of ``ids`` that it has are test data.

    ``songs``: of each id.

    Raises:
        InputError: it was not, or a row is somebody else's; the message names the database.
    """
    where, mark = session.connection.url, mark_of(session, table)
    if mark is None:
        msg = f"{where}: {table} has no test data, so no day of them can pass. Leave out --day to fill it first."
        raise InputError(msg)
    if (mark.rows, mark.seed) != (rows, seed):
        msg = f"{where}: {table} was filled with --rows {mark.rows} --seed {mark.seed}. Give the same."
        raise InputError(msg)
    for first in range(0, len(ids), BLOCK):
        statement = f"SELECT idx, song_id FROM {quoted(table)} WHERE idx IN %s"
        for number, song in session.ask(statement, (ids[first : first + BLOCK],), of=table):
            if songs[int(number)] != song:
                msg = f"{where}: row {number} of {table} is no test data, so no day passes. {_advice(session)}"
                raise InputError(msg)


def empty(session: Session, table: str) -> None:
    """Take all rows away, which were checked before."""
    session.tell(f"TRUNCATE TABLE {quoted(table)}", of=table)


def _advice(session: Session) -> str:
    setting = f"EMBSEARCH_{session.connection.settings.upper()}_URL"
    return f"Empty the table yourself when its rows may go, or set {setting} to a database for test data."
