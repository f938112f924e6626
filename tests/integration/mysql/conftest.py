"""A table of short vectors in a database of its own."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from typing import Any

import numpy as np
import pytest

from include.catalog.index_types import IndexType, index_type
from include.mysql.embedding_table import EmbeddingTable, open_embedding_table
from include.mysql.schema import MIGRATIONS, Migration
from tests.integration.mariadb_server import MariadbDatabase

D = 8
KIND: IndexType = replace(index_type("song"), dimension=D)
DAY_0 = datetime(2026, 11, 20, tzinfo=UTC)


def day(number: float) -> datetime:
    return DAY_0 + timedelta(days=number)


def vector(number: int) -> bytes:
    return np.full(D, number, "<f4").tobytes()


@dataclass(frozen=True)
class Table:
    """The table of type ``song`` as migrations make it."""

    database: MariadbDatabase

    def add(self, ids: Iterable[int], **more: Any) -> None:
        """Rows whose vectors hold their ids; ``more`` are other columns, as datetimes in UTC without a zone."""
        columns = {"updated_at": naive(day(0)), **more}
        names = ", ".join(columns)
        values = ", ".join(["%s"] * len(columns))
        statement = f"INSERT INTO {KIND.table} (idx, song_id, embedding, {names}) VALUES (%s, %s, %s, {values})"
        rows = [(i, f"S{i}", vector(i), *columns.values()) for i in ids]
        self.database.tell(statement, rows, many=True)

    def set(self, number: int, **columns: Any) -> None:
        names = ", ".join(f"{name} = %s" for name in columns)
        self.database.tell(f"UPDATE {KIND.table} SET {names} WHERE idx = %s", (*columns.values(), number))

    @contextmanager
    def open(self, **settings: Any) -> Iterator[EmbeddingTable]:
        with open_embedding_table(self.database.settings(**{"mysql_page_rows": 7, **settings}), KIND) as table:
            yield table


def naive(moment: datetime) -> datetime:
    return moment.astimezone(UTC).replace(tzinfo=None)


@pytest.fixture
def table(database: MariadbDatabase) -> Table:
    migration = Migration.read(MIGRATIONS / "music" / "0001_embedding_tables.sql")
    database.tell(migration.statements[0])
    return Table(database)
