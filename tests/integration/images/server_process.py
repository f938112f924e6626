"""``embsearch images serve`` as a process of its own."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx
from pydantic import SecretStr

from include.local_stack.ports import free_ports
from include.settings import PREFIX, PROJECT_ROOT, Settings
from tests.integration.images.served import TOKEN

START_SECONDS = 120.0


@dataclass
class ServerProcess:
    """A server that answers."""

    process: subprocess.Popen[str]
    port: int
    temporary: Path  # where it would leave temporary files
    log: Path

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    def client(self, **more: Any) -> httpx.Client:
        return httpx.Client(base_url=self.url, headers={"Authorization": f"Bearer {TOKEN}"}, timeout=60, **more)

    def end(self, number: signal.Signals = signal.SIGTERM) -> int:
        """Send a signal and return the exit status."""
        self.process.send_signal(number)
        return self.process.wait(timeout=60)


def environment(settings: Settings, temporary: Path) -> dict[str, str]:
    """What makes the command use ``settings``."""
    bare = {name: value for name, value in os.environ.items() if not name.startswith(PREFIX)}
    chosen = settings.model_dump(include=settings.model_fields_set, exclude_none=True)
    given = {PREFIX + name.upper(): _plain(value) for name, value in chosen.items()}
    local = {f"{PREFIX}LOCAL_DIR": str(temporary.parent / "local"), "TMPDIR": str(temporary), "COLUMNS": "200"}
    return bare | given | local


def _plain(value: object) -> str:
    return value.get_secret_value() if isinstance(value, SecretStr) else str(value)


def begun(settings: Settings, folder: Path, port: int) -> subprocess.Popen[str]:
    """The command, not waited for; what it says goes to ``serve.log``."""
    temporary = folder / "tmp"
    temporary.mkdir(parents=True, exist_ok=True)
    with (folder / "serve.log").open("w") as log:
        return subprocess.Popen(
            [sys.executable, "-m", "include.cli.main", "images", "serve", "--port", str(port)],
            cwd=PROJECT_ROOT, env=environment(settings, temporary), text=True, stdout=log, stderr=subprocess.STDOUT,
        )  # fmt: skip


@contextmanager
def running(settings: Settings, folder: Path) -> Iterator[ServerProcess]:
    """A server of ``settings``, stopped at the end."""
    (port,) = free_ports(1)
    server = ServerProcess(begun(settings, folder, port), port, folder / "tmp", folder / "serve.log")
    try:
        deadline = time.monotonic() + START_SECONDS
        while not _answers(server):
            assert server.process.poll() is None, server.log.read_text()
            assert time.monotonic() < deadline, server.log.read_text()
            time.sleep(0.1)
        yield server
    finally:
        if server.process.poll() is None:
            server.process.kill()
            server.process.wait()


def _answers(server: ServerProcess) -> bool:
    try:
        return httpx.get(f"{server.url}/docs", timeout=5).status_code == 200
    except httpx.HTTPError:
        return False
