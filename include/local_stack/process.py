"""Run one service as a child of this process: what the tests do, and what the supervisor does for ``make up``."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from include.errors import SetupError
from include.local_stack.service import Service

POLL_SECONDS = 0.05


def child_command(service: Service) -> list[str]:
    """The command line that starts ``service`` so that it dies with its parent."""
    drop_root = ["--uid", str(service.uid)] if service.uid is not None and os.geteuid() == 0 else []
    return [sys.executable, str(Path(__file__).with_name("as_child.py")), *drop_root, "--", *service.command]


def start(service: Service) -> subprocess.Popen[bytes]:
    """Start ``service`` and return at once; its output is appended to its log."""
    service.log.parent.mkdir(parents=True, exist_ok=True)
    with service.log.open("ab") as log:
        return subprocess.Popen(
            child_command(service),
            cwd=service.folder,
            env={**os.environ, **service.env},
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
    """End the service: SIGTERM to its leader, then SIGKILL to whatever is left of its group."""
    if process.poll() is None:
        process.send_signal(signal.SIGTERM)
        with suppress(subprocess.TimeoutExpired):
            process.wait(service.stop_seconds)
    with suppress(ProcessLookupError):
        os.killpg(process.pid, signal.SIGKILL)
    process.wait()


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
