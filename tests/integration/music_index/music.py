"""Tables, days and jobs of the tests, as short words."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import numpy as np

from include.catalog.index_types import IndexType, index_type
from include.faiss_index.ids import Ids
from include.faiss_index.version import Version
from include.faiss_index.versions import IndexFolder
from include.generations.run import Run
from include.music_index.folders import index_folder
from include.music_index.increment import increment
from include.music_index.interval import ZONE
from include.music_index.parameters import FaissIncrementParameters, FaissRebuildParameters
from include.music_index.rebuild import rebuild
from include.mysql.schema import migrate
from include.mysql.seed_plan import SeedPlan
from include.mysql.seeds import Seeded, Seeder
from include.settings import Settings
from tests.integration.mariadb_server import MariadbDatabase
from tests.integration.runs import new_run

SONG, ARTIST = index_type("song"), index_type("artist")
START = datetime(2026, 1, 1, 16, 58, tzinfo=ZONE)  # the first load ends; day k ends k days later
ROWS = 400
A_DAY = timedelta(days=1)


def end_of(day: int) -> datetime:
    return START + day * A_DAY


@dataclass(frozen=True)
class Music:
    """The tables of one test and its indexes."""

    database: MariadbDatabase
    folder: Path
    settings: Settings

    def other(self, name: str) -> Music:
        """Other indexes over the same tables."""
        settings = self.settings.model_copy(update={"state_dir": self.folder / name})
        return Music(self.database, self.folder, settings)

    def load(self, *kinds: IndexType, rows: int = ROWS) -> None:
        with Seeder(self.settings) as seeder:
            for kind in kinds:
                seeder.load(SeedPlan(kind, rows, START))

    def play(self, *days: int, kind: IndexType = SONG, rows: int = ROWS) -> list[Seeded]:
        """Let days pass over a table."""
        with Seeder(self.settings) as seeder:
            return [seeder.play(SeedPlan(kind, rows, START), day) for day in days]

    def run(self, day: int, name: str = "") -> Run:
        """The daily run that ends with ``day``."""
        run = new_run(name, date=end_of(day))
        return Run(run.key, run.date, start=end_of(day - 1))

    def rebuild(self, day: int = 0, *, of: IndexType = SONG, **parameters: Any) -> dict[str, Any]:
        return rebuild(of, FaissRebuildParameters(type=of.name, **parameters), self.run(day), self.settings)

    def increment(self, day: int, *, of: IndexType = SONG, name: str = "", **parameters: Any) -> dict[str, Any]:
        asked = FaissIncrementParameters(type=of.name, **parameters)
        return increment(of, asked, self.run(day, name), self.settings)

    def index(self, of: IndexType = SONG) -> IndexFolder:
        return index_folder(of, self.settings)

    def served(self, of: IndexType = SONG) -> Version:
        version = self.index(of).current()
        assert version is not None
        return version

    def ids(self, of: IndexType = SONG) -> Ids:
        """Those in the served index."""
        return np.array(self.served(of).ids())

    def tell(self, statement: str, *arguments: Any) -> int:
        """Change the tables; ``{table}`` stands for that of the songs."""
        return self.database.tell(statement.format(table=SONG.table), arguments)


def migrated(database: MariadbDatabase, folder: Path) -> Music:
    settings = database.settings(state_dir=folder / "state", local_dir=folder, log_dir=folder / "logs")
    migrate(settings)
    return Music(database, folder, settings)
