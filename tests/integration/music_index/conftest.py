"""Small tables on the real MariaDB, whose life over some days is decided by a seed, and their indexes."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.integration.mariadb_server import MariadbDatabase
from tests.integration.music_index.music import Music, migrated


@pytest.fixture
def music(database: MariadbDatabase, tmp_path: Path) -> Music:
    """Empty tables, and a folder for their indexes."""
    return migrated(database, tmp_path)
