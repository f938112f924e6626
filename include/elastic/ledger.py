"""Which run was the last to speak of each document: to write it, to find it unchanged, or to delete it.

Elasticsearch remembers of a document only when it was last written, and of a deleted one nothing after a minute. So
that an older day, indexed again, neither replaces what a newer day confirmed nor brings back what was deleted, each run
notes here what it has seen. The index is the truth about what is there; losing this file loses that memory only.
"""

from __future__ import annotations

import hashlib
import sqlite3
from collections.abc import Iterable, Iterator, Sequence
from contextlib import closing, contextmanager
from pathlib import Path

from include.elastic.document_id import document_id
from include.errors import ContractError
from include.settings import Settings

TOGETHER = 500
BUSY_SECONDS = 60.0


def ledger_file(settings: Settings, alias: str) -> Path:
    """Where the ledger of an index is; it has one when its runs delete, or leave what is unchanged."""
    return settings.state_dir / "ledgers" / f"{alias}.sqlite3"


class Ledger:
    """Document → version (milliseconds of the run's date) of one collection, in a file of SQLite."""

    def __init__(self, path: Path) -> None:
        self._path = path

    def newest(self) -> int | None:
        """The highest version of all."""
        with self._open() as database:
            (found,) = database.execute("SELECT max(version) FROM seen").fetchone()
        return None if found is None else int(found)

    def newer(self, keys: Sequence[bytes], version: int) -> set[bytes]:
        """Those of ``keys`` of which a run later than ``version`` has spoken."""
        found: set[bytes] = set()
        with self._open() as database:
            for start in range(0, len(keys), TOGETHER):
                part = keys[start : start + TOGETHER]
                marks = ",".join("?" * len(part))
                query = f"SELECT key FROM seen WHERE key IN ({marks}) AND version > ?"  # noqa: S608 — only marks
                found |= {key for (key,) in database.execute(query, [*part, version])}
        return found

    def note(self, keys: Iterable[bytes], version: int) -> None:
        """A run of ``version`` has spoken of ``keys``; all are kept or none."""
        with self._open() as database:
            database.executemany(
                "INSERT INTO seen VALUES (?, ?) ON CONFLICT (key) DO UPDATE SET version = max(version, ?)",
                ((key, version, version) for key in keys),
            )

    def clear(self) -> None:
        """Forget all: there is no index any more."""
        with self._open() as database:
            database.execute("DELETE FROM seen")

    @contextmanager
    def _open(self) -> Iterator[sqlite3.Connection]:
        self._path.parent.mkdir(parents=True, exist_ok=True)
        try:
            with closing(sqlite3.connect(self._path, timeout=BUSY_SECONDS)) as database:
                database.execute(
                    "CREATE TABLE IF NOT EXISTS seen (key BLOB PRIMARY KEY, version INTEGER) WITHOUT ROWID"
                )
                with database:
                    yield database
        except sqlite3.DatabaseError as error:
            msg = f"{self._path}: {error}. If it is damaged, remove it: runs of older days are then less careful."
            raise ContractError(msg) from error


def key_of(document: str) -> bytes:
    """128 bits that stand for a document, whether it is given by its name or by its id in the index."""
    return hashlib.blake2b(document_id(document).encode("utf-8"), digest_size=16).digest()
