"""Which columns a table has and what they hold, by the settings, and how they are written in a statement."""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import UTC, datetime, tzinfo
from typing import Any, Self
from zoneinfo import ZoneInfo

import numpy as np

from include.errors import InputError
from include.mysql.connection import Session
from include.settings import Settings

_PLAIN = re.compile(r"[A-Za-z0-9_$]{1,64}")


def quoted(name: str) -> str:
    """A table's or a column's name as it stands in a statement.

    Raises:
        InputError: it has other letters than a–z, A–Z, 0–9, ``_`` and ``$``.
    """
    if not _PLAIN.fullmatch(name):
        msg = f"{name!r} cannot name a table or a column here: use a–z, A–Z, 0–9, '_' and '$', at most 64 of them."
        raise InputError(msg)
    return f"`{name}`"


@dataclass(frozen=True)
class EmbeddingColumns:
    """The columns of a table of vectors."""

    id: str = "idx"
    song: str = "song_id"
    vector: str = "embedding"
    vector_type: str = "<f4"  # numpy's name
    changed: str = "updated_at"  # when a row was last changed; empty: the table does not say
    deleted: str = "deleted_at"  # NULL while a row lives; empty: deleted rows are gone
    zone: tzinfo = UTC

    @classmethod
    def of(cls, settings: Settings) -> Self:
        """Those that the settings name; where no column tells changes, that of creation stands in."""
        return cls(
            settings.mysql_id_column,
            settings.mysql_song_column,
            settings.mysql_vector_column,
            np.dtype(settings.mysql_vector_type).newbyteorder("<").str,
            settings.mysql_updated_column or settings.mysql_created_column,
            settings.mysql_deleted_column,
            ZoneInfo(settings.mysql_time_zone),
        )

    def live(self) -> str:
        """The condition that a row is not deleted."""
        return f"{quoted(self.deleted)} IS NULL" if self.deleted else "TRUE"

    def before(self, until: datetime | None) -> tuple[str, list[Any]]:
        """The condition that a row was last changed before ``until``, and its arguments.

        A row that does not say when is an old one.
        """
        if until is None or not self.changed:
            return "TRUE", []
        column = quoted(self.changed)
        return f"({column} < %s OR {column} IS NULL)", [self.stored(until)]

    def within(self, since: datetime, until: datetime) -> tuple[str, list[Any]]:
        """The condition that a row says it was changed in ``[since, until)``, and its arguments."""
        if not self.changed:
            return "FALSE", []
        column = quoted(self.changed)
        return f"{column} >= %s AND {column} < %s", [self.stored(since), self.stored(until)]

    def since(self, moment: datetime) -> tuple[str, list[Any]]:
        """The condition that a row says it was changed at ``moment`` or later, and its arguments."""
        if not self.changed:
            return "FALSE", []
        return f"{quoted(self.changed)} >= %s", [self.stored(moment)]

    def stored(self, moment: datetime) -> datetime:
        """``moment`` as these columns write it: without a zone.

        Raises:
            InputError: it has no zone itself.
        """
        if moment.tzinfo is None:
            msg = f"{moment} has no time zone: give one, for example 2026-11-21T16:58:00+09:00."
            raise InputError(msg)
        return moment.astimezone(self.zone).replace(tzinfo=None)

    def moment(self, stored: datetime) -> datetime:
        """The inverse of :meth:`stored`, in UTC."""
        return stored.replace(tzinfo=self.zone).astimezone(UTC)


def set_time_zone(zone: tzinfo) -> list[str]:
    """The statement by which columns of type TIMESTAMP are given in ``zone``, as those of type DATETIME are.

    None for a zone with summer time, which a server knows only when somebody loaded its tables of zones.
    """
    offsets = {datetime(2026, month, 1, tzinfo=zone).utcoffset() for month in range(1, 13)}
    offset = offsets.pop()
    if offsets or offset is None:
        return []
    minutes = round(offset.total_seconds() / 60)
    return [f"SET time_zone = '{'-' if minutes < 0 else '+'}{abs(minutes) // 60:02d}:{abs(minutes) % 60:02d}'"]


def check_table(session: Session, table: str, columns: dict[str, str]) -> None:
    """Check that ``table`` has ``columns`` (name → its setting, the id first), and that the id is a key.

    Pages follow the id, so rows that share one would be lost at the edge of a page. A view has no keys to look at.

    Raises:
        InputError: the table or a column is missing, or the id is neither its primary nor a unique key.
    """
    where = session.connection.url
    found = session.ask(_COLUMNS, (session.connection.database, table), of=table)
    names = {str(name).lower(): str(name) for name, _kind in found}
    if not names:
        msg = (
            f"{where} has no table {table}, or its user may not read it. `embsearch mysql migrate` makes the tables; "
            f"else correct EMBSEARCH_{session.connection.settings.upper()}_URL or grant SELECT."
        )
        raise InputError(msg)
    for name, setting in columns.items():
        if name and name.lower() not in names:
            msg = f"{where}: table {table} has no column {name}. Set {setting}; there are: {', '.join(names.values())}."
            raise InputError(msg)
    id_column, id_setting = next(iter(columns.items()))
    if found[0][1] == "BASE TABLE" and [id_column.lower()] not in _unique_keys(session, table):
        msg = (
            f"{where}: {id_column} is neither the primary nor a unique key of {table}, so its rows cannot be told "
            f"apart. Set {id_setting} to a column that is."
        )
        raise InputError(msg)


def _unique_keys(session: Session, table: str) -> list[list[str]]:
    """The columns of each unique key, in lower case."""
    keys: dict[str, list[str]] = {}
    for index, column in session.ask(_UNIQUE_KEYS, (session.connection.database, table), of=table):
        keys.setdefault(str(index), []).append(str(column).lower())
    return list(keys.values())


_COLUMNS = """
    SELECT c.column_name, t.table_type
    FROM information_schema.columns c JOIN information_schema.tables t USING (table_schema, table_name)
    WHERE c.table_schema = %s AND c.table_name = %s ORDER BY c.ordinal_position
"""
_UNIQUE_KEYS = """
    SELECT index_name, column_name FROM information_schema.statistics
    WHERE table_schema = %s AND table_name = %s AND non_unique = 0
"""
