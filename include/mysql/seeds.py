"""Test data in real tables: the seven tables of vectors over some days, and the songs of the six programmes."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

import numpy as np

from include.catalog.index_types import PROGRAMS, IndexType
from include.mysql.columns import EmbeddingColumns, quoted
from include.mysql.connection import MysqlConnection, Session
from include.mysql.playlist_tables import playlist_table
from include.mysql.seed_marks import (
    DEMO,
    GENERATE,
    IsMade,
    Mark,
    check_day,
    check_replaceable,
    empty,
    write_mark,
)
from include.mysql.seed_plan import Row, SeedPlan, song_name
from include.settings import Settings

log = logging.getLogger(__name__)

BLOCK = 1000  # rows in a statement
PLAYLIST_SHARE = 0.05  # of all songs, in each programme
UNKNOWN_SHARE = 0.01  # of a programme's songs, that no table of vectors has
FIRST_UNKNOWN = 10**8  # the number of the first such song
ANY = (GENERATE, DEMO)


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

    Each table is marked as holding test data before its first row is written. A table that has rows is filled anew only
    when all of them are test data of one of ``replaces``: never a row that somebody else wrote.

    Raises:
        ServiceUnavailable: the server does not answer.
        AccessDenied: it refuses the login or the right to write.
    """

    def __init__(self, settings: Settings, *, maker: str = GENERATE, replaces: Sequence[str] = ()) -> None:
        self._maker, self._replaces = maker, replaces
        self._columns = EmbeddingColumns.of(settings)
        self._music = Session(MysqlConnection.from_settings(settings).owned(settings))
        self._backup = Session(MysqlConnection.backup(settings).owned(settings))

    def __enter__(self) -> Seeder:
        return self

    def __exit__(self, *_raised: object) -> None:
        self._music.close()
        self._backup.close()

    def check(self, kinds: Sequence[IndexType]) -> None:
        """Check that the tables of ``kinds`` and of all programmes may be filled, before any of them is changed.

        Raises:
            InputError: one of them has rows that are not replaced.
        """
        for kind in kinds:
            self._check_vectors(kind)
        for programme in PROGRAMS:
            check_replaceable(self._backup, playlist_table(programme), _songs_of, replaces=self._replaces)

    def load(self, plan: SeedPlan) -> Seeded:
        """The first load of a table.

        Raises:
            InputError: the table has rows that are not replaced.
        """
        table = plan.kind.table
        self._check_vectors(plan.kind)
        self._begin(self._music, table, Mark(self._maker, plan.rows, plan.seed))
        written = 0
        for begin in range(0, plan.rows, BLOCK):
            rows = plan.first_load(begin, begin + BLOCK)
            self._put(table, rows)
            written += len(rows)
        return Seeded(table, written)

    def play(self, plan: SeedPlan, number: int) -> Seeded:
        """Let day ``number`` pass over a table that was loaded by the same plan; again, it changes nothing.

        Raises:
            InputError: there is no such day, or the table was not loaded by this plan.
        """
        table, day = plan.kind.table, plan.day(number)
        check_day(self._music, table, day.ids, plan.songs, rows=plan.rows, seed=plan.seed)
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

    def playlists(self, songs: int, *, seed: int = 0) -> dict[str, int]:
        """Songs of each programme, some of ``songs`` and a few that nobody knows; return how many each has.

        Raises:
            InputError: a table has rows that are not replaced.
        """
        counts = {}
        for turn, programme in enumerate(PROGRAMS):
            table = playlist_table(programme)
            check_replaceable(self._backup, table, _songs_of, replaces=self._replaces)
            self._begin(self._backup, table, Mark(self._maker, songs, seed))
            generator = np.random.default_rng((seed, turn))
            known = generator.choice(songs, _chosen(songs), replace=False)
            unknown = FIRST_UNKNOWN + np.arange(_unknown(songs))
            names = [(song_name(int(number)),) for number in generator.permutation(np.concatenate([known, unknown]))]
            statement = f"INSERT INTO {quoted(table)} (song_id) VALUES (%s)"
            counts[programme] = self._backup.tell_many(statement, names, of=table)
        return counts

    def _check_vectors(self, kind: IndexType) -> None:
        def is_made(mark: Mark) -> IsMade:
            songs = SeedPlan(kind, mark.rows, datetime.now(UTC), mark.seed).songs
            return lambda number, song: songs.get(number) == song

        check_replaceable(self._music, kind.table, is_made, replaces=self._replaces)

    def _begin(self, session: Session, table: str, mark: Mark) -> None:
        """Mark the table, emptied, before its first row: whatever ends this, the next one knows whose the rows are."""
        empty(session, table)
        write_mark(session, table, mark)

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


def _chosen(songs: int) -> int:
    """How many of the songs a programme has."""
    return min(songs, max(20, round(songs * PLAYLIST_SHARE)))


def _unknown(songs: int) -> int:
    """How many songs it has besides that nobody knows."""
    return max(1, round(_chosen(songs) * UNKNOWN_SHARE))


def _songs_of(mark: Mark) -> IsMade:
    """Whether a song is one that a programme may have."""
    numbers = (*range(mark.rows), *range(FIRST_UNKNOWN, FIRST_UNKNOWN + _unknown(mark.rows)))
    names = {song_name(number) for number in numbers}
    return lambda _number, song: song in names


def seed(
    settings: Settings,
    kinds: Sequence[IndexType],
    *,
    rows: int,
    start: datetime,
    days: int = 0,
    seed: int = 0,
    maker: str = GENERATE,
    replaces: Sequence[str] = (),
) -> list[Seeded]:
    """Load the tables of ``kinds`` and all programmes, then let ``days`` pass; return what was done, in this order.

    ``replaces``: whose test data may go for these, for example :data:`ANY`.

    Raises:
        InputError: a table has other rows, and no table is changed; or it is too small for so many days.
    """
    done = []
    with Seeder(settings, maker=maker, replaces=replaces) as seeder:
        seeder.check(kinds)
        for kind in kinds:
            plan = SeedPlan(kind, rows, start, seed)
            done.append(seeder.load(plan))
            log.info("%s: %s rows", kind.table, f"{rows:,}")
            done += [seeder.play(plan, number) for number in range(1, days + 1)]
        seeder.playlists(rows, seed=seed)
    return done


def play_day(
    settings: Settings, kinds: Sequence[IndexType], number: int, *, rows: int, start: datetime, seed: int = 0
) -> list[Seeded]:
    """Let one more day pass over the tables of ``kinds``, which were seeded with the same figures.

    Raises:
        InputError: there is no such day, or a table was not seeded so.
    """
    with Seeder(settings) as seeder:
        return [seeder.play(SeedPlan(kind, rows, start, seed), number) for kind in kinds]
