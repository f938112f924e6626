"""The supervisor (PyPI ``supervisor``) that keeps the stack's services running, and how to talk to it.

Everything about it is under one run folder: configuration, one program file a service (with its secrets, hence mode
0600), control socket, process id, log.
"""

from __future__ import annotations

import hashlib
import os
import shlex
import signal
import subprocess
import sys
import time
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from xmlrpc.client import Fault, ServerProxy

import psutil
from supervisor.xmlrpc import SupervisorTransport

from include.errors import SetupError
from include.local_stack import members
from include.local_stack.paths import private_folder
from include.local_stack.process import GUARD_SECONDS, last_lines, write_private, write_program
from include.local_stack.service import Service

START_SECONDS = 15.0
SHUT_DOWN_SECONDS = 60.0
RUNNING = ("STARTING", "RUNNING")
AT_ONCE, WAIT = False, True  # whether a call to the supervisor returns before its work is done
_LONGEST_SOCKET_PATH = 100  # the kernel's limit is 107 bytes
# What the user's shell says about another Airflow or Python must not reach ours; its database least of all.
_NOT_INHERITED = ("AIRFLOW__", "AIRFLOW_HOME", "AIRFLOW_CONFIG", "PYTHONPATH", "PYTHONHOME", "VIRTUAL_ENV")


@dataclass(frozen=True)
class ProgramState:
    """What the supervisor knows of one service."""

    state: str  # RUNNING, STARTING, STOPPED, STOPPING, BACKOFF, EXITED, FATAL
    pid: int  # of the guard over the server; 0 when none
    uptime_seconds: int


@dataclass(frozen=True)
class Supervisor:
    """The supervisor of one run folder, running or not."""

    folder: Path

    def is_running(self) -> bool:
        """Whether it answers."""
        try:
            return bool(self._rpc().supervisor.getState()["statename"] == "RUNNING")
        except (OSError, Fault):
            return False

    def configure(self, services: Sequence[Service]) -> None:
        """Make it run with ``services``, none started; those whose definition is unchanged go on as they are.

        Raises:
            SetupError: it does not start.
        """
        write_configuration(self.folder, services)
        if self.is_running():
            self._reload()
        else:
            self._start()

    def states(self) -> dict[str, ProgramState]:
        """The state of each service; empty when the supervisor does not answer."""
        try:
            infos: Any = self._rpc().supervisor.getAllProcessInfo()
        except (OSError, Fault):
            return {}
        return {
            info["name"]: ProgramState(
                info["statename"], info["pid"], info["now"] - info["start"] if info["statename"] in RUNNING else 0
            )
            for info in infos
        }

    def start(self, name: str) -> None:
        """Start a service and return at once.

        Raises:
            SetupError: its program cannot be started.
        """
        try:
            self._rpc().supervisor.startProcess(name, AT_ONCE)
        except Fault as fault:
            msg = f"{name} cannot be started: {fault.faultString}. {last_lines(log_path(self.folder))}"
            raise SetupError(msg) from fault

    def stop(self, name: str) -> None:
        """Stop a service and wait until it has ended; it may have ended before."""
        with suppress(Fault):
            self._rpc().supervisor.stopProcess(name, WAIT)

    def shut_down(self) -> None:
        """Stop every service, then the supervisor; return when it has ended, which takes as long as its services do."""
        with suppress(OSError, Fault):
            pid = int(self._rpc().supervisor.getPID())
            guards = [state.pid for state in self.states().values() if state.pid]
            self._rpc().supervisor.shutdown()
            for guard in guards:  # all at once: the supervisor stops one after the other
                with suppress(ProcessLookupError):
                    os.kill(guard, signal.SIGTERM)
            with suppress(psutil.Error):
                psutil.Process(pid).wait(SHUT_DOWN_SECONDS)
        socket = socket_path(self.folder)
        socket.unlink(missing_ok=True)
        if socket.parent != self.folder:
            socket.parent.rmdir()

    def _rpc(self) -> Any:
        return ServerProxy(
            "http://127.0.0.1", transport=SupervisorTransport(None, None, f"unix://{socket_path(self.folder)}")
        )

    def _start(self) -> None:
        environment = {key: value for key, value in os.environ.items() if not key.startswith(_NOT_INHERITED)}
        socket_path(self.folder).unlink(missing_ok=True)
        began = subprocess.run(
            [sys.executable, "-m", "supervisor.supervisord", "-c", str(configuration_path(self.folder))],
            cwd=self.folder,
            env={**environment, **members.mark(self.folder)},
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            check=False,
        )
        deadline = time.monotonic() + START_SECONDS
        while began.returncode == 0 and time.monotonic() < deadline:
            if self.is_running():
                return
            time.sleep(0.05)
        msg = f"The supervisor does not start. {began.stderr.strip()} {last_lines(log_path(self.folder))}"
        raise SetupError(msg)

    def _reload(self) -> None:
        rpc = self._rpc().supervisor
        added, changed, removed = rpc.reloadConfig()[0]
        for name in (*changed, *removed):
            rpc.stopProcessGroup(name, WAIT)
            rpc.removeProcessGroup(name)
        for name in (*added, *changed):
            rpc.addProcessGroup(name)


def write_configuration(folder: Path, services: Sequence[Service]) -> None:
    """Write ``supervisord.conf`` and each service's program file."""
    for service in services:
        service.log.parent.mkdir(parents=True, exist_ok=True)
    write_private(configuration_path(folder), configuration(folder, services))


def configuration(folder: Path, services: Sequence[Service]) -> str:
    """The text of ``supervisord.conf``; writes the program files that it names."""
    root = ["user = root"] if os.geteuid() == 0 else []
    sections = [
        ["[unix_http_server]", f"file = {_value(socket_path(folder))}", "chmod = 0700"],
        [
            "[rpcinterface:supervisor]",
            "supervisor.rpcinterface_factory = supervisor.rpcinterface:make_main_rpcinterface",
        ],
        [
            "[supervisord]",
            f"pidfile = {_value(folder / 'supervisord.pid')}",
            f"logfile = {_value(log_path(folder))}",
            "logfile_maxbytes = 5MB",
            "logfile_backups = 1",
            f"childlogdir = {_value(folder)}",
            *root,
        ],
        *(_program(folder, service) for service in services),
    ]
    return "\n\n".join("\n".join(lines) for lines in sections) + "\n"


def _program(folder: Path, service: Service) -> list[str]:
    program = folder / f"{service.name}.program.json"
    command = write_program(service, program)
    return [
        f"[program:{service.name}]",
        f"command = {_value(shlex.join(command))}",
        *([f"directory = {_value(service.folder)}"] if service.folder else []),
        # Unused by the program: a changed program file must look changed to the supervisor.
        f"environment = EMBSEARCH_PROGRAM={hashlib.sha256(program.read_bytes()).hexdigest()}",
        "autostart = false",
        "autorestart = true",
        "startsecs = 1",
        "stopsignal = TERM",
        f"stopwaitsecs = {round(service.stop_seconds + GUARD_SECONDS)}",
        "killasgroup = true",
        "redirect_stderr = true",
        f"stdout_logfile = {_value(service.log)}",
        "stdout_logfile_maxbytes = 20MB",
        "stdout_logfile_backups = 2",
    ]


def _value(value: object) -> str:
    """A value as the configuration file wants it.

    Raises:
        SetupError: it has what is a comment or a substitution there.
    """
    text = str(value)
    if "%" in text or " ;" in text or " #" in text:
        msg = f"{text} contains '%' or a space before ';' or '#'. Move the project to a folder without those."
        raise SetupError(msg)
    return text


def configuration_path(folder: Path) -> Path:
    """Where the configuration is."""
    return folder / "supervisord.conf"


def log_path(folder: Path) -> Path:
    """Where the supervisor itself writes its log."""
    return folder / "supervisord.log"


def socket_path(folder: Path) -> Path:
    """Where the control socket is: in the run folder, or below the temporary folder when that path is too long.

    Raises:
        SetupError: somebody else owns the folder below the temporary one.
    """
    path = folder / "supervisor.sock"
    if len(os.fsencode(path)) <= _LONGEST_SOCKET_PATH:
        return path
    return private_folder(folder) / path.name
