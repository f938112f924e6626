"""``python as_child.py PROGRAM.json``: run a server so that nothing of it stays.

The file holds ``command`` (list of words), ``env`` (added to this process's), ``uid`` (to run as, or null) and
``stop_seconds``. This process stands between a supervisor and a server. When it is told to end, or when its parent
dies in any way, it ends the server (SIGTERM, then SIGKILL after ``stop_seconds``) and then every process that the
server left behind, wherever that went: orphans below it come back to it (``PR_SET_CHILD_SUBREAPER``). It exits with
the server's status.

The parent's death is noticed when the parent's *thread* that started this process ends, so start it from a thread that
lasts. It runs as a script of the standard library alone, so it costs milliseconds and a few MB.
"""

from __future__ import annotations

import ctypes
import json
import os
import signal
import sys
import time
from contextlib import suppress
from pathlib import Path

PR_SET_PDEATHSIG = 1
PR_SET_CHILD_SUBREAPER = 36
STOP_SIGNALS = {signal.SIGTERM, signal.SIGINT, signal.SIGHUP}
WATCHED = STOP_SIGNALS | {signal.SIGCHLD}


def main(arguments: list[str]) -> int:
    """Run the program until it ends or until this process is told to end; return the exit status."""
    parent = os.getppid()
    program = json.loads(Path(arguments[0]).read_text(encoding="utf-8"))
    signal.pthread_sigmask(signal.SIG_BLOCK, WATCHED)
    _prctl(PR_SET_CHILD_SUBREAPER, 1)
    _prctl(PR_SET_PDEATHSIG, signal.SIGTERM)
    if os.getppid() != parent:  # the parent died before the signal was set
        return 1
    child = os.fork()
    if child == 0:
        _become(program["command"], {**os.environ, **program["env"]}, program["uid"])
    status = _wait(child, program["stop_seconds"])
    _end_descendants()
    return status


def _become(command: list[str], environment: dict[str, str], uid: int | None) -> None:
    guard = os.getppid()
    try:
        if uid is not None:
            os.setgroups([])
            os.setgid(uid)
            os.setuid(uid)
        _prctl(PR_SET_PDEATHSIG, signal.SIGTERM)  # after setuid, which clears it
        if os.getppid() != guard:
            os._exit(1)
        signal.pthread_sigmask(signal.SIG_UNBLOCK, WATCHED)
        os.execvpe(command[0], command, environment)  # noqa: S606 — replacing this process is the point
    except OSError as error:
        sys.stderr.write(f"cannot start {command[0]}: {error}\n")
    os._exit(127)


def _wait(child: int, stop_seconds: float) -> int:
    """Reap until ``child`` has ended or the time to stop is over."""
    deadline: float | None = None
    while True:
        status = _reap(child)
        if status is not None:
            return status
        if deadline is not None and time.monotonic() > deadline:
            return 128 + signal.SIGKILL
        received = signal.sigtimedwait(WATCHED, 0.5)
        if received and received.si_signo in STOP_SIGNALS and deadline is None:
            deadline = time.monotonic() + stop_seconds
            with suppress(ProcessLookupError):
                os.kill(child, signal.SIGTERM)


def _reap(child: int | None = None) -> int | None:
    """Take the status of every process that has ended; the exit status of ``child`` when it is among them."""
    found = None
    with suppress(ChildProcessError):
        while True:
            pid, status = os.waitpid(-1, os.WNOHANG)
            if pid == 0:
                break
            if pid == child:
                code = os.waitstatus_to_exitcode(status)
                found = code if code >= 0 else 128 - code
    return found


def _end_descendants() -> None:
    while pids := _descendants(os.getpid()):
        for pid in pids:
            with suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
        time.sleep(0.01)
        _reap()


def _descendants(root: int) -> list[int]:
    children: dict[int, list[int]] = {}
    for entry in Path("/proc").iterdir():
        if entry.name.isdigit():
            with suppress(OSError):
                after_name = (entry / "stat").read_text().rpartition(")")[2].split()  # state, parent, …
                children.setdefault(int(after_name[1]), []).append(int(entry.name))
    found: list[int] = []
    todo = [root]
    while todo:
        below = children.get(todo.pop(), [])
        found += below
        todo += below
    return found


def _prctl(option: int, value: int) -> None:
    if ctypes.CDLL(None, use_errno=True).prctl(option, value, 0, 0, 0) != 0:
        raise OSError(ctypes.get_errno(), f"prctl({option}) failed")


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
