"""What it takes to run one server of the local stack."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path


@dataclass(frozen=True)
class Service:
    """One server: how to start it and how to know that it is ready.

    ``command`` must stay in the foreground and end its children upon SIGTERM.
    """

    name: str
    command: tuple[str, ...]
    ready: Callable[[], bool]  # quick, never raises
    ports: tuple[int, ...]  # all of them on 127.0.0.1
    log: Path
    env: dict[str, str] = field(default_factory=dict)  # added to the environment of this process
    folder: Path | None = None  # working directory
    uid: int | None = None  # runs as this user when started by root
    start_seconds: float = 150.0  # give up after this long
    stop_seconds: float = 20.0  # SIGKILL after this long
    url: str = ""  # where its users reach it
