"""Makes the tables where there are none, by numbered files: each is applied once and written down.

Who has such tables already needs none of this: the settings name their columns.
"""

from __future__ import annotations

import hashlib
import logging
from dataclasses import dataclass
from pathlib import Path
from typing import Self

from include.errors import Busy, ContractError, InputError
from include.mysql.connection import MysqlConnection, Session
from include.settings import PREFIX, Settings

log = logging.getLogger(__name__)

MIGRATIONS = Path(__file__).with_name("migrations")
LOCK_SECONDS = 60
RECORDS = """
    CREATE TABLE IF NOT EXISTS embsearch_migrations (
        number INT NOT NULL PRIMARY KEY,
        name VARCHAR(200) NOT NULL,
        sha256 CHAR(64) NOT NULL,
        applied_at DATETIME(3) NOT NULL DEFAULT CURRENT_TIMESTAMP(3)
    ) ENGINE = InnoDB DEFAULT CHARSET = utf8mb4
"""
FIXED = tuple(
    f"{database}_{part}_column"
    for database, parts in (
        ("mysql", ("id", "song", "vector", "created", "updated", "deleted")),
        ("backup_mysql", ("id", "song", "deleted")),
    )
    for part in parts
)


@dataclass(frozen=True)
class Migration:
    """One file of statements."""

    number: int
    name: str
    statements: tuple[str, ...]
    sha256: str

    @classmethod
    def read(cls, path: Path) -> Self:
        """``0001_what_it_makes.sql``; statements end with ``;`` at the end of a line."""
        content = path.read_bytes()
        statements = (part.strip() for part in content.decode("utf-8").split(";\n"))
        number = int(path.stem.split("_")[0])
        return cls(number, path.stem, tuple(filter(None, statements)), hashlib.sha256(content).hexdigest())


def migrate(settings: Settings) -> list[str]:
    """Apply what is missing in both databases; return the names of what was applied.

    Statements leave alone what is there, so a migration that was interrupted is applied again as a whole.

    Raises:
        InputError: the settings name columns of their own: such tables are their owner's to make.
        ContractError: a migration has changed since it was applied.
        AccessDenied: the login may not make tables.
        Busy: somebody else migrates.
    """
    _check_columns(settings)
    applied = []
    for folder, connection in (
        ("music", MysqlConnection.from_settings(settings)),
        ("backup", MysqlConnection.backup(settings)),
    ):
        migrations = [Migration.read(path) for path in sorted((MIGRATIONS / folder).glob("*.sql"))]
        with Session(connection.owned(settings)) as session:
            applied += [f"{folder}/{name}" for name in apply(session, migrations)]
    return applied


def apply(session: Session, migrations: list[Migration]) -> list[str]:
    """Apply those of ``migrations`` that the database does not have yet; return their names."""
    name = f"embsearch_migrations.{session.connection.database}"[:64]
    ((got,),) = session.ask("SELECT GET_LOCK(%s, %s)", (name, LOCK_SECONDS), of="the lock of migrations")
    if not got:
        msg = (
            f"Somebody else changes the tables of {session.connection.url}. Wait until that ends, then run this again."
        )
        raise Busy(msg)
    try:
        session.tell(RECORDS, of="embsearch_migrations")
        return [migration.name for migration in migrations if _apply_once(session, migration)]
    finally:
        session.ask("SELECT RELEASE_LOCK(%s)", (name,), of="the lock of migrations")


def _apply_once(session: Session, migration: Migration) -> bool:
    known = session.ask(
        "SELECT sha256 FROM embsearch_migrations WHERE number = %s", (migration.number,), of="embsearch_migrations"
    )
    if known and known[0][0] != migration.sha256:
        msg = (
            f"Migration {migration.name} was applied to {session.connection.url} with other content. Put the file back "
            "as it was, and write what has changed as a new migration."
        )
        raise ContractError(msg)
    if known:
        return False
    for statement in migration.statements:
        session.tell(statement, of=migration.name)
    session.tell(
        "INSERT INTO embsearch_migrations (number, name, sha256) VALUES (%s, %s, %s)",
        (migration.number, migration.name, migration.sha256),
        of="embsearch_migrations",
    )
    log.info("%s: applied %s", session.connection.url, migration.name)
    return True


def _check_columns(settings: Settings) -> None:
    for name in FIXED:
        given, documented = getattr(settings, name), Settings.model_fields[name].default
        if given != documented:
            msg = (
                f"{PREFIX}{name.upper()} is {given!r}, but migrations make the column {documented!r}. Unset it, or "
                "make the tables yourself: docs/mysql.md says what they must have."
            )
            raise InputError(msg)
