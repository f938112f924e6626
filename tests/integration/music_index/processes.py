"""``python -m tests.integration.music_index.processes <function> …``: a job in a process that can be killed or starved.

It says ``at work`` when it is where the test wants it.
"""

from __future__ import annotations

import resource
import signal
import subprocess
import sys
import time
from datetime import datetime
from pathlib import Path
from typing import Any

from include.errors import EmbsearchError
from include.faiss_index import assembly
from include.faiss_index.filling import Filling
from include.generations.pointer import Pointer
from include.generations.run import Run
from include.local_stack import mariadb
from include.music_index.increment import increment
from include.music_index.parameters import FaissIncrementParameters
from include.mysql.embedding_table import EmbeddingTable
from include.settings import PROJECT_ROOT, Settings
from tests.integration.mariadb_server import PASSWORDS
from tests.integration.music_index.music import SONG, Music, end_of

PLACES: dict[str, tuple[Any, str]] = {  # where an increment can be stopped: before this is called
    "read": (EmbeddingTable, "_chosen"),
    "add": (Filling, "_add"),
    "write": (assembly, "verify"),  # the files are written, none is finished
    "pointer": (Pointer, "promote"),  # the version has its name
}


def start(music: Music, function: str, *arguments: str) -> subprocess.Popen[str]:
    path = music.folder / "settings.json"
    path.write_text(music.settings.model_dump_json())
    return subprocess.Popen(
        [sys.executable, "-m", __name__, function, str(path), *arguments],
        cwd=PROJECT_ROOT, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True,
    )  # fmt: skip


def killed(music: Music, day: int, place: str) -> None:
    """Start the increment of ``day``, and kill it at ``place``."""
    process = start(music, "stopped", str(day), place)
    assert process.stdout is not None
    line = process.stdout.readline()
    process.send_signal(signal.SIGKILL)
    process.communicate()
    assert line == "at work\n"


def stopped(settings: str, day: str, place: str) -> None:
    """An increment that stops at ``place`` until a line comes in."""
    owner, name = PLACES[place]
    real = getattr(owner, name)

    def wait_first(*arguments: Any, **named: Any) -> Any:
        setattr(owner, name, real)
        say("at work")
        sys.stdin.readline()
        return real(*arguments, **named)

    setattr(owner, name, wait_first)
    done(settings, day)


def starved(settings: str, day: str, most: str) -> None:
    """An increment where no file may be larger than ``most`` bytes."""
    signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    resource.setrlimit(resource.RLIMIT_FSIZE, (int(most), int(most)))
    done(settings, day)


def done(settings: str, day: str) -> None:
    """Say how an increment ends."""
    values = Settings.model_validate_json(Path(settings).read_text())
    secret = {"mysql_password": PASSWORDS[mariadb.READER]}
    chosen = Settings(_env_file=None, **{**values.model_dump(), **secret})
    end: datetime = end_of(int(day))
    try:
        found = increment(SONG, FaissIncrementParameters(), Run("child", end, start=end_of(int(day) - 1)), chosen)
        say(found["outcome"])
    except EmbsearchError as error:
        say(f"{type(error).__name__}: {error}")


def say(line: str) -> None:
    sys.stdout.write(line + "\n")
    sys.stdout.flush()


def outcome(process: subprocess.Popen[str], seconds: float = 120) -> str:
    """Let a process go on to its end; return the last line that it says."""
    said, _ = process.communicate("go on\n", timeout=seconds)
    return said.strip().splitlines()[-1]


def wait_at_work(process: subprocess.Popen[str]) -> None:
    assert process.stdout is not None
    assert process.stdout.readline() == "at work\n"
    time.sleep(0)


if __name__ == "__main__":
    globals()[sys.argv[1]](*sys.argv[2:])
