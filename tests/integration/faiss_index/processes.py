"""What other processes do to an index in the tests: ``python -m tests.integration.faiss_index.processes …``.

Each says ``at work`` when it is where the test wants it, and lives until it is done or killed.
"""

from __future__ import annotations

import resource
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

from include.errors import EmbsearchError
from include.faiss_index import assembly, filling
from include.generations.pointer import Pointer
from include.generations.vectors import VectorRows
from include.settings import PROJECT_ROOT
from tests.integration.faiss_index.songs import BASE, ROWS, ids, incremented, index_folder, pages, rows


def killed(root: Path, stage: str) -> None:
    """Start an increment, and kill it at ``stage``."""
    process = subprocess.Popen(
        [sys.executable, "-m", __name__, "interrupted", str(root), stage],
        cwd=PROJECT_ROOT,
        stdout=subprocess.PIPE,
        text=True,
    )
    assert process.stdout is not None
    line = process.stdout.readline()
    process.send_signal(signal.SIGKILL)
    process.wait()
    process.stdout.close()
    assert line == "at work\n"


def outcome(*arguments: str) -> str:
    """Run one of the functions below to its end; return what it says."""
    done = subprocess.run(
        [sys.executable, "-m", __name__, *arguments], cwd=PROJECT_ROOT, capture_output=True, text=True, check=True
    )
    return done.stdout.strip()


def interrupted(root: str, stage: str) -> None:
    """An increment that stops at ``stage`` until it is killed."""
    if stage == "write":
        assembly.write_index = _half_written  # type: ignore[assignment]
    elif stage == "verify":
        assembly.verify = wait  # type: ignore[assignment]
    elif stage == "pointer":
        Pointer.promote = wait  # type: ignore[method-assign, assignment]
    elif stage == "published":
        real = Pointer.promote

        def promote_then_wait(*arguments: str) -> None:
            real(*arguments)  # type: ignore[arg-type]
            wait()

        Pointer.promote = promote_then_wait  # type: ignore[method-assign, assignment]
    incremented(index_folder(Path(root)), _stream(stage), ids(0, 20))


def _stream(stage: str) -> Iterator[VectorRows]:
    if stage == "add":
        filling.batches = lambda pages: pages  # type: ignore[assignment, misc, return-value]
    for number, page in enumerate(pages(rows(BASE, ROWS))):
        if stage == "add" and number == 2:
            wait()
        yield page


def _half_written(index: object, path: Path) -> None:
    from include.faiss_index.engine import write_index

    size = write_index(index, path).bytes
    with path.open("r+b") as file:
        file.truncate(size // 2)
    wait()


def without_room(root: str, most: str) -> None:
    """Say how an increment fails where no file may be larger than ``most`` bytes."""
    signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    resource.setrlimit(resource.RLIMIT_FSIZE, (int(most), int(most)))
    try:
        incremented(index_folder(Path(root)), rows(BASE, ROWS))
    except EmbsearchError as error:
        say(f"{type(error).__name__}: {error}")


def wait(*_: object, **__: object) -> None:
    """Tell the test, then do nothing."""
    say("at work")
    time.sleep(600)


def say(line: str) -> None:
    """One line to the test that started this process."""
    sys.stdout.write(line + "\n")
    sys.stdout.flush()


if __name__ == "__main__":
    globals()[sys.argv[1]](*sys.argv[2:])
