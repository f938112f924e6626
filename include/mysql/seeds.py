"""Test data in real tables: the seven tables of vectors over some days, and the songs of the six programmes."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import numpy as np

from include.catalog.index_types import PROGRAMS, IndexType
from include.errors import InputError
from include.mysql.columns import EmbeddingColumns, quoted
from include.mysql.connection import MysqlConnection, Session
from include.mysql.playlist_tables import playlist_table
from include.mysql.seed_plan import Row, SeedPlan, song_name
from include.settings import Settings

log = logging.getLogger(__name__)

BLOCK = 1000  # rows in a statement
PLAYLIST_SHARE = 0.05  # of all songs, in each programme
UNKNOWN_SHARE = 0.01  # of a programme's songs, that no table of vectors has


@dataclass(frozen=True)
class Seeded:
    """What was done to one table."""

    table: str
    written: int
    changed: int = 0
    deleted: int = 0
    late: int = 0
    bad: int = 0


class Seeder:
    """Writes test data by the owner's login; use it as a context manager. The tables are those of the migrations.

    Raises:
        ServiceUnavailable: the server does not answer.
        AccessDenied: it refuses the login or the right to write.
    """

    def __init__(self, settings: Settings) -> None:
        self._columns = EmbeddingColumns.of(settings)
        self._music = Session(MysqlConnection.from_settings(settings).owned(settings))
        self._backup = Session(MysqlConnection.backup(settings).owned(settings))

    def __enter__(self) -> Seeder:
        return self

    def __exit__(self, *_raised: object) -> None:
        self._music.close()
        self._backup.close()

    def load(self, plan: SeedPlan, *, overwrite: bool = False) -> Seeded:
        """The first load of a table.

        Raises:
            InputError: the table has rows already and ``overwrite`` is not given.
        """
        table = plan.kind.table
        self._empty(self._music, table, overwrite=overwrite)
        written = 0
        for begin in range(0, plan.rows, BLOCK):
            rows = plan.first_load(begin, begin + BLOCK)
            self._put(table, rows)
            written += len(rows)
        return Seeded(table, written)

    def play(self, plan: SeedPlan, number: int) -> Seeded:
        """Let day ``number`` pass over a table that was loaded by the same plan; again, it changes nothing.

        Raises:
            InputError: there is no such day.
        """
        table, day = plan.kind.table, plan.day(number)
        self._put(table, day.rows)
        for deletion in day.soft_deletions:
            change = ", updated_at = %(at)s" if deletion.moves_change else ""
            statement = (
                f"UPDATE {quoted(table)} SET deleted_at = %(at)s{change} WHERE idx = %(id)s AND deleted_at IS NULL"
            )
            self._music.tell(statement, {"at": self._columns.stored(deletion.at), "id": deletion.id}, of=table)
        self._music.tell(f"DELETE FROM {quoted(table)} WHERE idx IN %s", (day.hard_deletions,), of=table)
        deleted = len(day.soft_deletions) + len(day.hard_deletions)
        return Seeded(table, len(day.rows), plan.day_rows, deleted, day.late, day.bad)

    def playlists(self, songs: int, *, seed: int = 0, overwrite: bool = False) -> dict[str, int]:
        """Songs of each programme, some of ``songs`` and a few that nobody knows; return how many each has.

        Raises:
            InputError: a table has rows already and ``overwrite`` is not given.
        """
        counts = {}
        for turn, programme in enumerate(PROGRAMS):
            table = playlist_table(programme)
            self._empty(self._backup, table, overwrite=overwrite)
            generator = np.random.default_rng((seed, turn))
            known = generator.choice(songs, min(songs, max(20, round(songs * PLAYLIST_SHARE))), replace=False)
            unknown = 10**8 + np.arange(max(1, round(len(known) * UNKNOWN_SHARE)))
            names = [(song_name(int(number)),) for number in generator.permutation(np.concatenate([known, unknown]))]
            statement = f"INSERT INTO {quoted(table)} (song_id) VALUES (%s)"
            counts[programme] = self._backup.tell_many(statement, names, of=table)
        return counts

    def _put(self, table: str, rows: Sequence[Row]) -> None:
        """Write rows; one that is there gets another vector and its time, and stays deleted if it is."""
        statement = (
            f"INSERT INTO {quoted(table)} (idx, song_id, embedding, created_at, updated_at, deleted_at)"
            " VALUES (%s, %s, %s, %s, %s, %s)"
            " ON DUPLICATE KEY UPDATE embedding = VALUES(embedding), updated_at = VALUES(updated_at)"
        )
        self._music.tell_many(statement, [self._values(row) for row in rows], of=table)

    def _values(self, row: Row) -> tuple[Any, ...]:
        updated = self._columns.stored(row.updated)
        deleted = self._columns.stored(row.deleted) if row.deleted else None
        return row.id, row.song, row.vector, updated, updated, deleted

    def _empty(self, session: Session, table: str, *, overwrite: bool) -> None:
        if overwrite:
            session.tell(f"TRUNCATE TABLE {quoted(table)}", of=table)
        elif session.ask(f"SELECT 1 FROM {quoted(table)} LIMIT 1", of=table):
            msg = f"{session.connection.url}: {table} has rows already. Give --overwrite to replace them by test data."
            raise InputError(msg)


def seed(
    settings: Settings,
    kinds: Sequence[IndexType],
    *,
    rows: int,
    start: datetime,
    days: int = 0,
    seed: int = 0,
    overwrite: bool = False,
) -> list[Seeded]:
    """Load the tables of ``kinds`` and all programmes, then let ``days`` pass; return what was done, in this order.

    Raises:
        InputError: a table has rows already, or is too small for so many days.
    """
    done = []
    with Seeder(settings) as seeder:
        for kind in kinds:
            plan = SeedPlan(kind, rows, start, seed)
            done.append(seeder.load(plan, overwrite=overwrite))
            log.info("%s: %s rows", kind.table, f"{rows:,}")
            done += [seeder.play(plan, number) for number in range(1, days + 1)]
        seeder.playlists(rows, seed=seed, overwrite=overwrite)
    return done


def play_day(
    settings: Settings, kinds: Sequence[IndexType], number: int, *, rows: int, start: datetime, seed: int = 0
) -> list[Seeded]:
    """Let one more day pass over the tables of ``kinds``, which were seeded with the same figures.

    Raises:
        InputError: there is no such day.
    """
    with Seeder(settings) as seeder:
        return [seeder.play(SeedPlan(kind, rows, start, seed), number) for kind in kinds]
