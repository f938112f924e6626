"""The image search under load: a server of its own, and locust as its callers, both bounded in time."""

from __future__ import annotations

import csv
import os
import secrets
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path

import httpx
from pydantic import SecretStr

from include.errors import FatalError, SetupError
from include.local_stack.ports import free_ports
from include.local_stack.served import task_environment
from include.settings import PROJECT_ROOT, Settings

LOAD = Path(__file__).with_name("image_load.py")  # not imported: locust changes the process that imports it
START_SECONDS = 120.0
END_SECONDS = 40.0


@dataclass(frozen=True)
class Load:
    """What the callers of one run met."""

    callers: int
    requests: int
    failures: int
    p50_ms: float
    p95_ms: float
    per_second: float


@dataclass(frozen=True)
class BenchServer:
    """A server, its token, and where pictures to ask with are."""

    url: str
    token: str
    pictures: Path

    def version(self) -> str:
        """Of the index that answers now."""
        picture = next(self.pictures.glob("*.jpg"))
        login = {"Authorization": f"Bearer {self.token}"}
        with picture.open("rb") as file:
            answer = httpx.post(
                f"{self.url}/similarity", files={"file": file}, headers=login, timeout=60, trust_env=False
            )
        return str(answer.raise_for_status().json()["version"])

    def load(self, callers: int, seconds: float, folder: Path) -> Load:
        """Let ``callers`` ask for ``seconds``, each again as soon as it has its answer."""
        with self.loading(callers, seconds, folder) as running:
            running.wait(timeout=seconds + END_SECONDS)
        return read_load(folder, callers)

    @contextmanager
    def loading(self, callers: int, seconds: float, folder: Path) -> Iterator[subprocess.Popen[bytes]]:
        """The callers, while something else happens; they end by themselves."""
        folder.mkdir(parents=True, exist_ok=True)
        command = [
            sys.executable, "-m", "locust", "--locustfile", str(LOAD), "--headless", "--host", self.url,
            "--users", str(callers), "--spawn-rate", str(callers), "--run-time", f"{round(seconds)}s",
            "--csv", str(folder / "load"), "--reset-stats", "--exit-code-on-error", "0", "--only-summary",
        ]  # fmt: skip
        own = {"EMBSEARCH_BENCH_PICTURES": str(self.pictures), "EMBSEARCH_BENCH_TOKEN": self.token}
        with (folder / "locust.log").open("wb") as log:
            process = subprocess.Popen(
                command, cwd=folder, env={**os.environ, **own}, stdout=log, stderr=subprocess.STDOUT
            )
        try:
            yield process
        finally:
            if process.poll() is None:
                process.kill()
            process.wait()


def read_load(folder: Path, callers: int) -> Load:
    """What locust wrote.

    Raises:
        FatalError: it wrote nothing, so it did not run.
    """
    path = folder / "load_stats.csv"
    rows = list(csv.DictReader(path.open(encoding="utf-8"))) if path.exists() else []
    total = next((row for row in rows if row["Name"] == "Aggregated"), None)
    if total is None or not int(total["Request Count"]):
        raise FatalError(f"locust sent no request: see {folder / 'locust.log'}.")
    return Load(
        callers,
        int(total["Request Count"]),
        int(total["Failure Count"]),
        float(total["50%"]),
        float(total["95%"]),
        float(total["Requests/s"]),
    )


@contextmanager
def served(settings: Settings, pictures: Path, folder: Path) -> Iterator[BenchServer]:
    """``embsearch images serve`` over the indexes of ``settings``, ended with this.

    Raises:
        SetupError: locust is not installed.
        FatalError: the server does not start.
    """
    if find_spec("locust") is None:
        raise SetupError("locust is not installed: run `make tools`, then this again.")
    (port,) = free_ports(1)
    token = secrets.token_urlsafe(24)
    own = settings.model_copy(update={"images_token": SecretStr(token), "images_requests_per_minute": 1_000_000})
    command = [sys.executable, "-m", "include.cli.main", "images", "serve", "--port", str(port)]
    environment = {**os.environ, **task_environment(own)}
    with (folder / "serve.log").open("wb") as log:
        process = subprocess.Popen(command, cwd=PROJECT_ROOT, env=environment, stdout=log, stderr=subprocess.STDOUT)
    try:
        server = BenchServer(f"http://127.0.0.1:{port}", token, pictures)
        _wait(server, process, folder / "serve.log")
        yield server
    finally:
        process.terminate()
        try:
            process.wait(timeout=END_SECONDS)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()


def _wait(server: BenchServer, process: subprocess.Popen[bytes], log: Path) -> None:
    deadline = time.monotonic() + START_SECONDS
    while time.monotonic() < deadline and process.poll() is None:
        try:
            if httpx.get(f"{server.url}/docs", timeout=5, trust_env=False).is_success:
                return
        except httpx.HTTPError:
            time.sleep(0.2)
    raise FatalError(f"The image search did not start: see {log}.")
