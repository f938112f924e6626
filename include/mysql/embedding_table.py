"""A table of vectors, read by pages that follow its id: bounded in memory, and resumed where a connection was lost."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import numpy as np
from numpy.typing import NDArray

from include.catalog.index_types import IndexType
from include.generations.vectors import VectorRows
from include.mysql import id_scan
from include.mysql.columns import EmbeddingColumns, check_table, quoted, set_time_zone
from include.mysql.connection import READ_ONLY, MysqlConnection, Session
from include.mysql.decoding import BadRow, decode
from include.mysql.id_scan import ids_where
from include.settings import Settings

Ids = NDArray[np.int64]


@dataclass(frozen=True)
class Page:
    """Some rows, by ascending id."""

    rows: VectorRows
    bad: tuple[BadRow, ...]  # set aside: of the same ids' range
    last_id: int  # the greatest id of the page, good or bad

    @property
    def read(self) -> int:
        """How many rows the table gave."""
        return len(self.rows.ids) + len(self.bad)


@dataclass(frozen=True)
class Span:
    """How far a table reaches; ``None`` where it is empty or does not say."""

    rows: int  # live ones
    first_id: int | None
    last_id: int | None
    last_change: datetime | None


@dataclass(frozen=True)
class EmbeddingTable:
    """The rows of one index type.

    Every method raises what :class:`Session` raises, and InputError for a column that holds no vectors.
    """

    session: Session
    table: str
    dimension: int
    columns: EmbeddingColumns
    page_rows: int = 5000

    def pages(self, until: datetime | None = None, *, after: int | None = None) -> Iterator[Page]:
        """All live rows that were last changed before ``until``, with ids above ``after``."""
        changed, arguments = self.columns.before(until)
        while True:
            beyond, bound = ("TRUE", []) if after is None else (f"{self._id} > %s", [after])
            condition = f"{beyond} AND {self.columns.live()} AND {changed} ORDER BY {self._id} LIMIT {self.page_rows}"
            page = self._page(condition, [*bound, *arguments])
            if page is None:
                return
            yield page
            after = page.last_id

    def changed(self, since: datetime, until: datetime) -> Iterator[Page]:
        """Live rows that say they were changed in ``[since, until)``.

        Those that a transaction wrote early and committed late are not among them when it ended after the run that
        ``since`` stands for: compare :meth:`live_ids`.
        """
        changed, arguments = self.columns.within(since, until)
        condition = f"{self.columns.live()} AND {changed}"
        ids = ids_where(self.session, self.table, self.columns.id, condition, arguments)
        yield from self._chosen(ids, changed, arguments)

    def rows_of(self, ids: Ids | Sequence[int]) -> Iterator[Page]:
        """The live rows among ``ids``; those that are not there are left out."""
        yield from self._chosen(np.unique(np.asarray(ids, dtype=np.int64)), "TRUE", [])

    def live_ids(self, until: datetime | None = None) -> Ids:
        """``[N]`` int64, ascending: the ids of all live rows, or of those last changed before ``until``."""
        changed, arguments = self.columns.before(until)
        condition = f"{self.columns.live()} AND {changed}"
        return ids_where(self.session, self.table, self.columns.id, condition, arguments)

    def ids_changed_from(self, moment: datetime) -> Ids:
        """``[N]`` int64, ascending: the ids of the live rows that say they were changed at ``moment`` or later."""
        changed, arguments = self.columns.since(moment)
        condition = f"{self.columns.live()} AND {changed}"
        return ids_where(self.session, self.table, self.columns.id, condition, arguments)

    def span(self, until: datetime | None = None) -> Span:
        """How many live rows there are, from which id to which, and when the last was changed."""
        before, arguments = self.columns.before(until)
        last = f"MAX({quoted(self.columns.changed)})" if self.columns.changed else "NULL"
        statement = (
            f"SELECT COUNT(*), MIN({self._id}), MAX({self._id}), {last} FROM {quoted(self.table)}"
            f" WHERE {self.columns.live()} AND {before}"
        )
        ((rows, first, final, changed),) = self.session.ask(statement, arguments, of=self.table)
        return Span(int(rows), first, final, self.columns.moment(changed) if changed else None)

    def sample(self, count: int, *, seed: int, until: datetime | None = None) -> VectorRows:
        """``count`` good rows, or all when there are fewer, each as likely as any other; by ascending id.

        Only ids are read of the rest. The same seed over the same rows gives the same sample.
        """
        order = np.random.default_rng(seed).permutation(self.live_ids(until))
        parts: list[VectorRows] = []
        found = tried = 0
        while found < count and tried < len(order):
            wanted = order[tried : tried + count - found]  # more, in the same order, for bad rows
            tried += len(wanted)
            for page in self.rows_of(wanted):
                parts.append(page.rows)
                found += len(page.rows.ids)
        ids = np.concatenate([np.empty(0, np.int64), *(part.ids for part in parts)])
        vectors = np.concatenate([np.empty((0, self.dimension), np.float32), *(part.vectors for part in parts)])
        ascending = np.argsort(ids)
        return VectorRows(ids[ascending], vectors[ascending])

    def ids_of_songs(self, songs: Sequence[str]) -> dict[str, list[int]]:
        """The ids of the live rows of each of ``songs``, ascending; songs without a row are left out.

        A song is the same only when it is written in the same way, whatever the table's collation says.
        """
        found: dict[str, list[int]] = {}
        asked = list(dict.fromkeys(songs))
        song = quoted(self.columns.song)
        for start in range(0, len(asked), self.page_rows):
            part = asked[start : start + self.page_rows]
            known = set(part)
            statement = (
                f"SELECT {song}, {self._id} FROM {quoted(self.table)}"
                f" WHERE {song} IN %s AND {self.columns.live()} ORDER BY {self._id}"
            )
            for name, number in self.session.ask(statement, (part,), of=self.table):
                if str(name) in known:
                    found.setdefault(str(name), []).append(int(number))
        return found

    @property
    def _id(self) -> str:
        return quoted(self.columns.id)

    def _chosen(self, ids: Ids, condition: str, arguments: list[Any]) -> Iterator[Page]:
        """Pages of the live rows among ``ids``, which ascend, that meet ``condition``."""
        for start in range(0, len(ids), self.page_rows):
            part = ids[start : start + self.page_rows].tolist()
            where = f"{self._id} IN %s AND {self.columns.live()} AND {condition} ORDER BY {self._id}"
            page = self._page(where, [part, *arguments])
            if page is not None:
                yield page

    def _page(self, condition: str, arguments: list[Any]) -> Page | None:
        vector = quoted(self.columns.vector)
        statement = f"SELECT {self._id}, {vector} FROM {quoted(self.table)} WHERE {condition}"
        found: Any = self.session.ask(statement, arguments, of=self.table)
        if not found:
            return None
        rows, bad = decode(found, self.dimension, self.columns.vector_type, self.table)
        return Page(rows, bad, last_id=int(found[-1][0]))


@contextmanager
def open_embedding_table(settings: Settings, kind: IndexType) -> Iterator[EmbeddingTable]:
    """The table of ``kind``, after a look whether it has the columns that the settings name.

    Raises:
        ServiceUnavailable: the server does not answer.
        AccessDenied: it refuses the login or the right.
        InputError: there is no such table or column.
    """
    columns = EmbeddingColumns.of(settings)
    prepare = [READ_ONLY, id_scan.PREPARE, *set_time_zone(columns.zone)]
    with Session(MysqlConnection.from_settings(settings), prepare=prepare) as session:
        table = EmbeddingTable(session, kind.table, kind.dimension, columns, settings.mysql_page_rows)
        check_table(session, kind.table, named_columns(settings))
        yield table


def named_columns(settings: Settings) -> dict[str, str]:
    """The columns that are read, each with the setting that names it."""
    changed = "updated" if settings.mysql_updated_column else "created"
    return {
        getattr(settings, f"mysql_{part}_column"): f"EMBSEARCH_MYSQL_{part.upper()}_COLUMN"
        for part in ("id", "song", "vector", changed, "deleted")
    }
