"""Run one service as a child of this process: what the tests do, and what the supervisor does for ``make up``."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import psutil

from include.errors import SetupError
from include.local_stack.service import Service

POLL_SECONDS = 0.05
GUARD_SECONDS = 5.0  # that a guard takes to end what a server left behind


def write_program(service: Service, file: Path) -> list[str]:
    """Write how to run ``service`` to ``file``, readable by this user alone; return the guard's command line.

    A service started by that command dies with its parent, and so does all that it starts.
    """
    program = {
        "command": service.command,
        "env": service.env,
        "uid": service.uid if os.geteuid() == 0 else None,
        "stop_seconds": service.stop_seconds,
    }
    write_private(file, json.dumps(program, indent=1))
    return [sys.executable, str(Path(__file__).with_name("as_child.py")), str(file)]


def write_private(file: Path, text: str) -> None:
    """Put ``text`` in the place of ``file``'s, with mode 0600 from the first moment."""
    file.parent.mkdir(parents=True, exist_ok=True)
    partial = file.with_name(f"{file.name}.part")
    partial.unlink(missing_ok=True)
    with os.fdopen(os.open(partial, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w", encoding="utf-8") as stream:
        stream.write(text)
    partial.replace(file)


def start(service: Service) -> subprocess.Popen[bytes]:
    """Start ``service`` and return at once; its output is appended to its log.

    The process returned is the guard (``as_child.py``), whose child is the server: see :func:`server`.
    """
    service.log.parent.mkdir(parents=True, exist_ok=True)
    with service.log.open("ab") as log:
        return subprocess.Popen(
            write_program(service, service.log.with_suffix(".program.json")),
            cwd=service.folder,
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )


def wait_ready(service: Service, process: subprocess.Popen[bytes]) -> float:
    """Wait until ``service`` answers; return the seconds it took.

    Raises:
        SetupError: it exited or took too long; the message ends with its last lines.
    """
    began = time.monotonic()
    while not service.ready():
        elapsed = time.monotonic() - began
        if process.poll() is not None:
            msg = f"{service.name} exited with status {process.returncode} while starting. {last_lines(service.log)}"
            raise SetupError(msg)
        if elapsed > service.start_seconds:
            msg = f"{service.name} was not ready after {elapsed:.0f} s. {last_lines(service.log)}"
            raise SetupError(msg)
        time.sleep(POLL_SECONDS)
    return time.monotonic() - began


def stop(service: Service, process: subprocess.Popen[bytes]) -> None:
    """End the service and everything that it started; the guard does it, and SIGKILL ends a guard that hangs."""
    if process.poll() is None:
        process.send_signal(signal.SIGTERM)
        with suppress(subprocess.TimeoutExpired):
            process.wait(service.stop_seconds + GUARD_SECONDS)
    with suppress(ProcessLookupError):
        os.killpg(process.pid, signal.SIGKILL)
    process.wait()


def server(process: subprocess.Popen[bytes]) -> psutil.Process:
    """The server's own process, below its guard: to stop, continue or kill it in a test of faults."""
    return psutil.Process(process.pid).children()[0]


@contextmanager
def running(service: Service) -> Iterator[subprocess.Popen[bytes]]:
    """Start ``service``, wait until it is ready, and stop it at the end."""
    process = start(service)
    try:
        wait_ready(service, process)
        yield process
    finally:
        stop(service, process)


def last_lines(log: Path, count: int = 15) -> str:
    """The end of a log, for an error message."""
    try:
        lines = log.read_text(encoding="utf-8", errors="replace").splitlines()[-count:]
    except FileNotFoundError:
        return f"It wrote nothing to {log}."
    return f"The end of {log}:\n" + "\n".join(lines)
