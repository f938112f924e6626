"""Locks between processes on one machine, freed by the kernel when their holder dies."""

from __future__ import annotations

import fcntl
import logging
import os
import time
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path

from include.errors import Busy

log = logging.getLogger(__name__)

NAME_SECONDS = 600.0
TELL_SECONDS = 3.0  # of waiting, after which the log says for whom


@contextmanager
def locked(path: Path, *, purpose: str, wait_seconds: float = 0.0, shared: bool = False) -> Iterator[int]:
    """Hold the lock file ``path``; ``purpose`` tells others what it is held for.

    ``shared`` holders get along with each other and keep out exclusive ones. What is yielded is the descriptor: a
    child process that inherits it holds the lock too, until both are gone.

    The file stays behind, unlocked: removing it would let two processes hold two files of the same name.

    Raises:
        Busy: another process held it for the whole of ``wait_seconds``; the message says who.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    descriptor = os.open(path, os.O_CREAT | os.O_RDWR, 0o644)
    try:
        _acquire(descriptor, path, wait_seconds, fcntl.LOCK_SH if shared else fcntl.LOCK_EX)
        os.ftruncate(descriptor, 0)
        os.pwrite(descriptor, f"{purpose}, process {os.getpid()}".encode(), 0)
        yield descriptor
    finally:
        os.close(descriptor)


def taking_name(folder: Path, alias: str, *, purpose: str) -> AbstractContextManager[int]:
    """The right to change what ``alias`` serves, and to drop what it served: who ends at once takes it in turn.

    Raises:
        Busy: another holds it for ten minutes.
    """
    return locked(folder / f".{alias}.name.lock", purpose=purpose, wait_seconds=NAME_SECONDS)


def _acquire(descriptor: int, path: Path, wait_seconds: float, kind: int) -> None:
    began, told = time.monotonic(), False
    while True:
        try:
            fcntl.flock(descriptor, kind | fcntl.LOCK_NB)
        except BlockingIOError as error:
            waited = time.monotonic() - began
            holder = os.pread(descriptor, 500, 0).decode("utf-8", "replace") or "another process"
            if waited >= wait_seconds:
                msg = f"{path} is held by: {holder}. Wait until it ends, then run this again."
                raise Busy(msg) from error
            if waited >= TELL_SECONDS and not told:
                log.warning("waiting for %s, which is held by: %s", path.name, holder)
                told = True
            time.sleep(0.05)
        else:
            return
