"""The command line as its users start it: a process of its own, settings by the environment, real servers."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from uuid import uuid4

import pytest
from elasticsearch import Elasticsearch

from include.local_stack.served import task_environment
from include.settings import PROJECT_ROOT, Settings
from tests.integration.elasticsearch_server import ElasticsearchServer
from tests.integration.redis_server import RedisServer
from tests.integration.triton_server import TritonServer

KEYWORDS, PRODUCTS = 300, 96
SHARD_ROWS = 16


@dataclass(frozen=True)
class CommandLine:
    """``embsearch`` with the settings of one set of servers."""

    settings: Settings
    folder: Path

    def start(self, *words: str) -> subprocess.Popen[str]:
        """In a process group of its own, as a terminal does."""
        return subprocess.Popen(
            [sys.executable, "-m", "include.cli.main", *words],
            cwd=PROJECT_ROOT, env=self.environment(), start_new_session=True, text=True, encoding="utf-8",
            stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.PIPE,
        )  # fmt: skip

    def run(self, *words: str, status: int = 0, stdin: bytes = b"", before: str = "") -> str:
        """What the command printed, after checking its exit status; of a failed one, what it said of the failure.

        ``before`` is code that its process runs first.
        """
        start = ["-c", f"{before}\nfrom include.cli.main import main\nmain()"] if before else ["-m", "include.cli.main"]
        done = subprocess.run(
            [sys.executable, *start, *words],
            cwd=PROJECT_ROOT, env=self.environment(), input=stdin, capture_output=True, check=False,
        )  # fmt: skip
        output, errors = done.stdout.decode(), done.stderr.decode()
        assert done.returncode == status, output + errors
        assert "Traceback" not in errors
        return errors if status else output

    def logs(self, command: str) -> list[str]:
        """The log of each run of a command, oldest first."""
        files = sorted((self.settings.log_dir / command).iterdir(), key=lambda file: file.stat().st_mtime_ns)
        return [file.read_text(encoding="utf-8") for file in files]

    def with_settings(self, **values: object) -> CommandLine:
        return replace(self, settings=Settings(**{**self.settings.model_dump(), **values}))

    @property
    def client(self) -> Elasticsearch:
        return Elasticsearch(self.settings.es_url)

    def environment(self) -> dict[str, str]:
        bare = {name: value for name, value in os.environ.items() if not name.startswith("EMBSEARCH_")}
        return {**bare, "COLUMNS": "200", **task_environment(self.settings)}


@pytest.fixture(scope="session")
def command_line(
    served_minilm: TritonServer,
    exported_minilm: Path,
    elasticsearch: ElasticsearchServer,
    redis_server: RedisServer,
    tmp_path_factory: pytest.TempPathFactory,
) -> Iterator[CommandLine]:
    """Demo data made by ``generate``, keywords indexed by ``index-vectors``; the demo model's export stands already."""
    folder = tmp_path_factory.mktemp("command-line")
    shutil.copytree(exported_minilm.parent.parent, folder / "state" / "models")
    mark = uuid4().hex[:8]
    found = CommandLine(served_minilm.settings, folder).with_settings(
        state_dir=folder / "state", log_dir=folder / "logs", qdrant_url=f"edge:{folder / 'qdrant'}",
        es_url=elasticsearch.service.url, model="minilm", link_shard_rows=SHARD_ROWS,
        keywords=str(folder / "keywords.txt"), products=str(folder / "products.txt"),
        keyword_index=f"keywords-{mark}", link_index=f"links-{mark}",
        redis_url=redis_server.settings.redis_url, redis_password=redis_server.settings.redis_password,
    )  # fmt: skip
    for kind, count in {"keywords": KEYWORDS, "products": PRODUCTS}.items():
        found.run("generate", kind, "--output", str(folder / f"{kind}.txt"), "--count", str(count), "--language", "en")
    found.run("index-vectors")
    yield found
    with found.client as client:
        for index in client.indices.get(index=f"*-{mark}__*"):
            client.indices.delete(index=index)
