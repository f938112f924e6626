"""Makes the tables of images where there are none, or brings them to this version, by Alembic's migrations."""

from __future__ import annotations

import logging
from pathlib import Path

from alembic import command
from alembic.config import Config
from alembic.runtime.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import Connection, text

from include.errors import Busy
from include.images.database import ImageDatabase
from include.settings import Settings

log = logging.getLogger(__name__)

MIGRATIONS = Path(__file__).with_name("migrations")
LOCK_SECONDS = 60


def migrate(settings: Settings) -> list[str]:
    """Apply what is missing, by the owner's login; return the names of what was applied.

    Raises:
        AccessDenied: the login may not make tables.
        Busy: somebody else migrates.
        ServiceUnavailable: the server does not answer.
    """
    config = Config()
    config.set_main_option("script_location", str(MIGRATIONS).replace("%", "%%"))
    with ImageDatabase.from_settings(settings, owner=True) as database, database.session("lock the tables") as holder:
        connection = holder.connection()
        name = f"embsearch_images.{database.connection.database}"[:64]
        if not connection.execute(text("SELECT GET_LOCK(:name, :seconds)"), _lock(name)).scalar():
            msg = f"Somebody else changes the tables of {database.connection.url}. Wait until that ends."
            raise Busy(msg)
        try:
            with database.session("migrate") as session:  # its own: what it did is seen by all when the lock is let go
                return _upgraded(config, session.connection())
        finally:
            connection.execute(text("SELECT RELEASE_LOCK(:name)"), {"name": name})


def _upgraded(config: Config, connection: Connection) -> list[str]:
    before = _heads(connection)
    config.attributes["connection"] = connection
    command.upgrade(config, "head")
    return _between(config, before, _heads(connection))


def _lock(name: str) -> dict[str, object]:
    return {"name": name, "seconds": LOCK_SECONDS}


def _heads(connection: Connection) -> str | None:
    return MigrationContext.configure(connection).get_current_revision()


def _between(config: Config, before: str | None, after: str | None) -> list[str]:
    """The revisions after ``before`` up to ``after``, oldest first."""
    if before == after:
        return []
    script = ScriptDirectory.from_config(config)
    return [each.revision for each in script.iterate_revisions(after or "base", before or "base")][::-1]
