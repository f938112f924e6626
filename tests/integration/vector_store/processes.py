"""What other processes do to a store in the contract test: ``python -m tests.integration.vector_store.processes …``.

Each prints one line when it is at work, and lives until it is done, told to stop by a file, or killed.
"""

from __future__ import annotations

import os
import resource
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np

from include.bench.synthetic import clustered
from include.settings import PROJECT_ROOT
from include.vector_store.edge import EdgeStore
from include.vector_store.open import open_store

ALIAS = "keywords"
SMALL = (300, 16)  # points, dimension
LARGE = (30_000, 128)  # takes the engine seconds to index


def start(*arguments: str) -> subprocess.Popen[str]:
    """Run one of the functions below in a process of its own; return when it is at work."""
    process = subprocess.Popen(
        [sys.executable, "-m", __name__, *arguments], cwd=PROJECT_ROOT, stdout=subprocess.PIPE, text=True
    )
    assert process.stdout is not None
    if process.stdout.readline() != "at work\n":
        process.kill()
        raise AssertionError(f"{arguments} ended with status {process.wait()}")
    return process


def outcome(*arguments: str) -> str:
    """Run one of the functions below to its end; return what it says."""
    done = subprocess.run(
        [sys.executable, "-m", __name__, *arguments], cwd=PROJECT_ROOT, capture_output=True, text=True, check=True
    )
    return done.stdout.strip()


def build(url: str, generation: str, stage: str) -> None:
    """Begin and load a generation; then wait to be killed, or seal it, which takes a while."""
    points, dimension = LARGE if stage == "seal" else SMALL
    store = open_store(url)
    store.begin(generation, dimension=dimension, model="m", model_fingerprint="f")
    store.upsert(generation, np.arange(points), clustered(points, dimension), [str(i) for i in range(points)])
    say("at work")
    if stage == "seal":
        store.seal(generation, expected=points)
    else:
        time.sleep(600)


def read(url: str, stop: str) -> None:
    """Search the alias until the file ``stop`` stands, and once more; print searches and generations seen.

    Each point must find itself every time.
    """
    queries = clustered(*SMALL)[:20]
    store = open_store(url)
    searches, seen, last = 0, set(), False
    while True:
        found = store.search(ALIAS, queries, 3)
        assert found.ids[:, 0].tolist() == list(range(20))
        seen.add(store.resolve(ALIAS))
        searches += 1
        if searches == 1:
            say("at work")
        if last:
            break
        last = Path(stop).exists()
        time.sleep(0.01)  # leaves the builder its share of the processor
    say(f"{searches} {len(seen)}")


def search_without_right(url: str, generation: str) -> None:
    """Say how a search fails where nothing may be written."""
    import qdrant_edge  # noqa: F401 — another user may not be able to read this environment

    root = Path(url.removeprefix("edge:"))
    for path in [root, *root.rglob("*")]:
        path.chmod(0o555 if path.is_dir() else 0o444)
    os.chdir(root)  # nor come here from above
    if os.geteuid() == 0:
        os.setuid(65534)  # root may write everywhere
    store = EdgeStore(Path())
    _say_error(lambda: store.search(generation, clustered(1, SMALL[1]), 3))


def build_with_small_files(url: str, generation: str) -> None:
    """Say how a build fails where no file may be larger than 100 kB."""
    signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    resource.setrlimit(resource.RLIMIT_FSIZE, (100_000, 100_000))
    _say_error(lambda: open_store(url).begin(generation, dimension=SMALL[1], model="m", model_fingerprint="f"))


def _say_error(work: Callable[[], object]) -> None:
    try:
        work()
    except Exception as error:  # noqa: BLE001 — whatever it is, the test reads it
        say(f"{type(error).__name__}: {error}")


def say(line: str) -> None:
    """One line to the test that started this process."""
    sys.stdout.write(line + "\n")
    sys.stdout.flush()


if __name__ == "__main__":
    globals()[sys.argv[1]](*sys.argv[2:])
