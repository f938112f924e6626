"""Failures of Qdrant's engine in process, as this project's.

The engine raises plain ``Exception`` for everything; only its text tells what happened. A fault of the system ends in
``(os error N)``. Whatever else it says, it says again the next time: the files or the call are wrong.
"""

from __future__ import annotations

import errno
import re
import shutil
import signal
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from include.errors import AccessDenied, ContractError, EmbsearchError, ServiceUnavailable, SetupError

_OS_ERROR = re.compile(r"\(os error (\d+)\)")
_DENIED = {errno.EACCES, errno.EPERM, errno.EROFS}
_FULL = {errno.ENOSPC, errno.EDQUOT, errno.EFBIG}
_PASSING = {errno.EAGAIN, errno.EBUSY, errno.EINTR, errno.EMFILE, errno.ENFILE, errno.ENOMEM, errno.ESTALE}

SPARE_BYTES = 64 << 20  # the engine extends its mapped files by 32 MiB


@contextmanager
def translated(folder: Path) -> Iterator[None]:
    """Raise this project's error, naming ``folder``, for whatever the engine raises.

    Raises:
        AccessDenied: no right to read or write there.
        SetupError: no space left there.
        ServiceUnavailable: the machine is short of something for now: memory, open files.
        ContractError: anything else, for example damaged files.
    """
    try:
        yield
    except Exception as error:
        if type(error) is not Exception:  # not the engine's
            raise
        raise fault(folder, str(error)) from error


def fault(folder: Path, words: str) -> EmbsearchError:
    """The error that the engine's ``words`` stand for."""
    found = _OS_ERROR.search(words)
    number = int(found[1]) if found else None
    said = f"Qdrant's engine failed at {folder}: {words}."
    if number in _DENIED:
        return AccessDenied(f"{said} Give this user the right to write there; searching writes small files too.")
    if number in _FULL:
        return SetupError(f"{said} Free some space there, then run this again.")
    if number in _PASSING:
        return ServiceUnavailable(f"{said} The machine is short of memory or of open files: run this again later.")
    return ContractError(f"{said} The generation is damaged or incomplete. Build it again, or roll back.")


def ended(folder: Path, status: int, words: str) -> EmbsearchError:
    """The error of a process of the engine that ended with ``status``; negative is a signal's number."""
    if status == -signal.SIGBUS:
        return fault(folder, f"a mapped file could not be extended (os error {errno.ENOSPC})")
    if status < 0:
        # SIGKILL is what the kernel sends when memory runs out.
        msg = f"The graph of {folder} was not built: its process was ended by {signal.Signals(-status).name}. "
        return ServiceUnavailable(msg + "Look for free memory, then run this again.")
    lines = words.strip().splitlines() or [f"status {status}"]
    return fault(folder, lines[-1])  # the last one of a traceback


def check_room(folder: Path, needed: int) -> None:
    """Raise SetupError unless ``needed`` bytes and some spare are free for ``folder``.

    The engine writes to mapped files: where the disk is full the kernel ends the process, and nothing can be caught.
    """
    free = shutil.disk_usage(folder).free
    if free < needed + SPARE_BYTES:
        msg = (
            f"{free >> 20} MiB are free at {folder}, {(needed + SPARE_BYTES) >> 20} MiB are needed. "
            "Free some space there, then run this again."
        )
        raise SetupError(msg)
