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
from include.errors import Busy, ContractError, EmbsearchError, SetupError
from include.settings import Settings

TOGETHER = 500
BUSY_SECONDS = 60.0
PRIMARY = 0xFF  # of SQLite's error codes; the bits above say more of the same


def ledger_file(settings: Settings, alias: str) -> Path:
    """Where the ledger of an index is; it has one when its runs delete, or leave what is unchanged."""
    return settings.state_dir / "ledgers" / f"{alias}.sqlite3"


class Ledger:
    """Document → version (milliseconds of the run's date) of one collection, in a file of SQLite.

    Every method raises :class:`~include.errors.Busy` while another run writes for long,
    :class:`~include.errors.SetupError` where the disk is full or the file cannot be opened or written, and
    :class:`~include.errors.ContractError` when it is damaged.
    """

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
        try:
            self._path.parent.mkdir(parents=True, exist_ok=True)
            with closing(sqlite3.connect(self._path, timeout=BUSY_SECONDS)) as database:
                database.execute(
                    "CREATE TABLE IF NOT EXISTS seen (key BLOB PRIMARY KEY, version INTEGER) WITHOUT ROWID"
                )
                with database:
                    yield database
        except sqlite3.Error as error:
            raise _as_error(self._path, error) from error
        except OSError as error:
            raise _unusable(self._path, error.strerror or str(error)) from error


def _as_error(path: Path, error: sqlite3.Error) -> EmbsearchError:
    """What a failure of SQLite means; only a damaged file is to be removed."""
    code = getattr(error, "sqlite_errorcode", 0) & PRIMARY  # none, where SQLite was not even asked
    if code in (sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED):
        return Busy(f"{path}: {error}. Another run has been writing there for {BUSY_SECONDS:.0f} s. Run this again.")
    if code in (sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB):
        return ContractError(
            f"{path} is damaged: {error}. Remove it, then run this again. What is lost is which run was the last to "
            "speak of each document: until newer runs have spoken of them again, a run of an older day may replace "
            "what a newer one found unchanged, and bring back what one deleted. No document is lost."
        )
    return _unusable(path, str(error))


def _unusable(path: Path, why: str) -> SetupError:
    return SetupError(
        f"{path} cannot be used: {why}. Look at the space on its disk, and at the rights to the file and its folder, "
        "then run this again."
    )


def key_of(document: str) -> bytes:
    """128 bits that stand for a document, whether it is given by its name or by its id in the index."""
    return hashlib.blake2b(document_id(document).encode("utf-8"), digest_size=16).digest()
