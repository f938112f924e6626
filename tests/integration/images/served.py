"""Small image indexes of both editions behind the API: real pictures, MariaDB, Triton and S3."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from fastapi.testclient import TestClient
from pydantic import SecretStr

from include.generations.names import run_key
from include.generations.run import Run
from include.images.api.access import Caller, by_token
from include.images.api.app import create_app
from include.images.api.contract import RebuildState
from include.images.api.rebuilds import RebuildOf, UnknownRun
from include.images.api.serving import Serving
from include.images.build import build
from include.images.parameters import Edition, ImageIndexParameters
from include.images.seed import seed
from include.local_stack import mariadb
from include.settings import Settings
from tests.integration.mariadb_server import PASSWORDS, MariadbServer
from tests.integration.s3_server import S3Server
from tests.integration.triton.small_served import SmallModels

TOKEN = "a-token-that-is-long-enough"
IMAGES = 80
CATALOGUE = "{name}: {{kind: clip_image, source: ./clip, dimension: 24}}\n"


@dataclass(frozen=True)
class ServedImages:
    """Indexes that are built, and how to reach them."""

    settings: Settings
    pictures: Path

    def some(self, kind: str, number: int = 0) -> Path:
        """A picture of a defect, or a ``normal`` one."""
        return sorted(self.pictures.glob(f"*_{kind}_*.jpg"))[number]

    def build(self, image_type: str, name: str, *, edition: Edition = "v2", **more: Any) -> dict[str, Any]:
        """Build an index and serve it."""
        given = {"edition": edition, "model": self.settings.images_model, "kserve_url": self.settings.kserve_url}
        run = Run(run_key("test", image_type, edition, name), datetime.now(UTC))
        return build(image_type, ImageIndexParameters(**given, **more), run, self.settings)

    @contextmanager
    def client(self, rebuilder: Any = None, *, token: str | None = TOKEN, **changes: Any) -> Iterator[TestClient]:
        """A caller of the API over these indexes, with the server's own token."""
        settings = self.settings.model_copy(update=changes)
        with Serving(settings) as serving:
            app = create_app(serving, by_token(settings), rebuilder or Rebuilds(), open_docs=True)
            with TestClient(app) as client:
                if token:
                    client.headers["authorization"] = f"Bearer {token}"
                yield client


class Rebuilds:
    """Remembers what it was asked for; Airflow's own is tested with the whole stack."""

    def __init__(self) -> None:
        self.started: list[RebuildOf] = []

    def start(self, asked: RebuildOf, caller: Caller) -> str:
        self.started.append(asked)
        return f"run_{len(self.started)}"

    def state(self, run_id: str, caller: Caller) -> RebuildState:
        if run_id != "run_1":
            raise UnknownRun("There is no such rebuild.")
        return RebuildState(task_id=run_id, status="running", started_at=datetime.now(UTC), ended_at=None)


@contextmanager
def served_images(
    folder: Path, small: SmallModels, server: MariadbServer, s3: S3Server, database: str
) -> Iterator[ServedImages]:
    """Draw pictures, record them, build the indexes of both types and editions."""
    pictures = folder / "pictures"
    pictures.mkdir(parents=True)
    model = small.serve("clip_image")
    (folder / "models.yaml").write_text(CATALOGUE.format(name=model), encoding="utf-8")
    server.tell(f"CREATE DATABASE `{database}` CHARACTER SET utf8mb4")
    own: dict[str, Any] = {
        "state_dir": folder / "state",
        "log_dir": folder / "logs",
        "kserve_url": small.server.settings.kserve_url,
        "catalogue": folder / "models.yaml",
        "images_mysql_url": f"mysql://127.0.0.1:{server.port}/{database}",
        "images_mysql_user": mariadb.READER,
        "images_mysql_password": SecretStr(PASSWORDS[mariadb.READER]),
        "images_mysql_owner_user": mariadb.OWNER,
        "images_mysql_owner_password": SecretStr(PASSWORDS[mariadb.OWNER]),
        "images_model": model,
        "images_v1_dir": pictures,
        "images_token": SecretStr(TOKEN),
        "images_requests_per_minute": 1_000_000,
        "use_index_v2": True,
    }
    more = {"images_roots": str(pictures), "images_result_store": "s3://images/results", "images_stores": "s3://images"}
    more["images_temporary_stores"] = "s3://images/queries"
    settings = Settings(_env_file=None, **{**own, **s3.settings(**more)})
    try:
        seed(settings, images=IMAGES, target=str(pictures))
        made = ServedImages(settings, pictures)
        for edition in ("v1", "v2"):
            for kind in ("normal", "defect"):
                made.build(kind, "first", edition=edition)
        yield made
    finally:
        server.tell(f"DROP DATABASE `{database}`")
