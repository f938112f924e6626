"""Images of one test: a database, pictures in a folder, and their indexes, as short words."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from pydantic import SecretStr

from include.faiss_index.version import Version
from include.faiss_index.versions import IndexFolder
from include.images.build import build
from include.images.database import ImageDatabase
from include.images.folders import MISSING, index_folder
from include.images.index import ImageIndex
from include.images.parameters import Edition, ImageIndexParameters
from include.images.seed import seed
from include.local_stack import mariadb
from include.settings import PROJECT_ROOT, Settings
from tests.integration.mariadb_server import PASSWORDS, MariadbServer
from tests.integration.runs import new_run

CATALOGUE = "{name}: {{kind: clip_image, source: ./clip, dimension: 24}}\n"


@dataclass(frozen=True)
class Gallery:
    """What one test works on."""

    server: MariadbServer
    name: str  # of the database
    pictures: Path
    settings: Settings

    def seed(self, images: int, **more: Any) -> dict[str, int]:
        return seed(self.settings, images=images, target=str(self.pictures), **more)

    def build(self, image_type: str = "defect", **parameters: Any) -> dict[str, Any]:
        given = {"model": self.settings.images_model, "kserve_url": self.settings.kserve_url, **parameters}
        return build(image_type, ImageIndexParameters(**given), new_run(), self.settings)

    def folder(self, image_type: str = "defect", edition: Edition = "v2") -> IndexFolder:
        return index_folder(image_type, self.settings, edition)

    def served(self, image_type: str = "defect", edition: Edition = "v2") -> Version:
        version = self.folder(image_type, edition).current()
        assert version is not None
        return version

    def index(self, image_type: str = "defect", edition: Edition = "v2") -> ImageIndex:
        return ImageIndex.open(image_type, self.settings, edition=edition, poll_seconds=0.01)

    def metadata(self, image_type: str = "defect") -> list[dict[str, Any]]:
        """The file as any reader of JSON sees it."""
        found: list[dict[str, Any]] = json.loads((self.served(image_type).folder / "metadata.json").read_text("utf-8"))
        return found

    def missing(self, image_type: str = "defect") -> list[dict[str, Any]]:
        """The report of what could not be used."""
        lines = (self.folder(image_type).root / MISSING).read_text("utf-8").splitlines()
        return [json.loads(line) for line in lines]

    def files(self, defect: str) -> list[Path]:
        return sorted(self.pictures.glob(f"*_{defect}_*.jpg"))

    def tell(self, statement: str, *arguments: Any) -> int:
        """Change the tables."""
        return self.server.tell(statement, arguments or None, database=self.name)

    def database(self, **more: Any) -> ImageDatabase:
        return ImageDatabase.from_settings(self.settings, **more)

    def remains(self) -> list[str]:
        """What should not be there once nobody works."""
        every = self.folder().root.parent.rglob("*")
        begun = (".building", ".dropped", "collecting-")
        return [path.name for path in every if path.name.startswith(begun) or path.suffix == ".tmp"]

    def process(self, before: str) -> subprocess.Popen[str]:
        """A build of the defects in a process of its own, which runs the code ``before`` first."""
        values = self.settings.model_dump_json()
        secrets = dict.fromkeys(("images_mysql_password",), PASSWORDS[mariadb.READER])
        code = (
            f"import json\nfrom include.settings import Settings\n{before}\n"
            f"settings = Settings(_env_file=None, **(json.loads({values!r}) | {secrets!r}))\n"
            "from include.images.build import build\nfrom include.images.parameters import ImageIndexParameters\n"
            "from tests.integration.runs import new_run\n"
            "asked = ImageIndexParameters(model=settings.images_model, kserve_url=settings.kserve_url)\n"
            "build('defect', asked, new_run(), settings)\n"
        )
        return subprocess.Popen(
            [sys.executable, "-c", code], cwd=PROJECT_ROOT, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
        )


@contextmanager
def gallery_in(folder: Path, server: MariadbServer, name: str, model: str, kserve_url: str) -> Iterator[Gallery]:
    """An empty database and an empty folder."""
    database = f"embsearch_images_{name}"
    pictures = folder / "pictures"
    pictures.mkdir(parents=True)
    (folder / "models.yaml").write_text(CATALOGUE.format(name=model), encoding="utf-8")
    server.tell(f"CREATE DATABASE `{database}` CHARACTER SET utf8mb4")
    settings = Settings(
        _env_file=None,
        state_dir=folder / "state",
        local_dir=folder / "local",
        log_dir=folder / "logs",
        catalogue=folder / "models.yaml",
        kserve_url=kserve_url,
        images_model=model,
        images_roots=str(pictures),
        images_v1_dir=pictures,
        images_page_rows=7,
        images_readers=4,
        images_mysql_url=f"mysql://127.0.0.1:{server.port}/{database}",
        images_mysql_user=mariadb.READER,
        images_mysql_password=SecretStr(PASSWORDS[mariadb.READER]),
        images_mysql_owner_user=mariadb.OWNER,
        images_mysql_owner_password=SecretStr(PASSWORDS[mariadb.OWNER]),
    )
    try:
        yield Gallery(server, database, pictures, settings)
    finally:
        server.tell(f"DROP DATABASE `{database}`")


def days_ago(days: float) -> datetime:
    """As a column has it."""
    return datetime.fromtimestamp(datetime.now(UTC).timestamp() - days * 86_400, UTC).replace(tzinfo=None)
