"""Bring a list of services up under the supervisor, take it down, and say how it is; from whatever state it is in."""

from __future__ import annotations

import logging
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

import psutil

from include.errors import SetupError
from include.generations.locks import locked
from include.local_stack import members
from include.local_stack.process import last_lines
from include.local_stack.service import Service
from include.local_stack.supervisor import RUNNING, ProgramState, Supervisor

logger = logging.getLogger(__name__)

POLL_SECONDS = 0.2
TELL_EVERY_SECONDS = 10.0


@dataclass(frozen=True)
class ServiceStatus:
    """How one service is."""

    name: str
    state: str  # running, starting, stopped, stopping, backoff, exited, fatal
    pid: int  # 0 when it does not run
    uptime_seconds: int
    ready: bool
    url: str
    log: Path


@dataclass(frozen=True)
class LeftOver:
    """A process of a stack that nobody supervises."""

    name: str
    pid: int
    ports: tuple[int, ...]  # that it listens on


@contextmanager
def change(run_folder: Path, purpose: str) -> Iterator[None]:
    """Keep others from starting or stopping the same stack meanwhile.

    Raises:
        Busy: somebody else is doing so.
    """
    with locked(run_folder / "stack.lock", purpose=purpose):
        yield


def recover(run_folder: Path) -> None:
    """End what a killed supervisor left behind, so that the next start finds a clean field."""
    if not Supervisor(run_folder).is_running() and (count := members.end_all(run_folder)):
        logger.info("Ended %d processes that an earlier, killed stack left behind.", count)


def start_services(run_folder: Path, services: Sequence[Service]) -> list[ServiceStatus]:
    """Start what does not run, wait until all are ready; on failure or interruption stop what this call started.

    Raises:
        SetupError: a service does not start; the message ends with the last lines of its log.
    """
    supervisor = Supervisor(run_folder)
    had_supervisor = supervisor.is_running()
    started: list[str] = []
    try:
        supervisor.configure(services)
        states = supervisor.states()
        for service in services:
            if states[service.name].state not in RUNNING:
                started.append(service.name)
                supervisor.start(service.name)
        _wait_until_ready(supervisor, services)
    except BaseException:
        logger.info("Stopping what was started.")
        if had_supervisor:
            for name in reversed(started):
                supervisor.stop(name)
        else:
            stop_all(run_folder)
        raise
    return status(run_folder, services)


def stop_all(run_folder: Path) -> int:
    """Stop every service and the supervisor; no process of the stack is left. Return how many there were."""
    count = len(members.members(run_folder))
    Supervisor(run_folder).shut_down()
    members.end_all(run_folder)
    return count


def status(run_folder: Path, services: Sequence[Service]) -> list[ServiceStatus]:
    """The state of each service, asked now."""
    states = Supervisor(run_folder).states()
    found = []
    for service in services:
        program = states.get(service.name)
        ready = program is not None and program.state in RUNNING and service.ready()
        state = _state(program, ready=ready)
        pid, uptime = (program.pid, program.uptime_seconds) if program else (0, 0)
        found.append(ServiceStatus(service.name, state, pid, uptime, ready, service.url, service.log))
    return found


def left_over(run_folder: Path) -> list[LeftOver]:
    """What still lives of a stack whose supervisor does not answer; those that end meanwhile are left out."""
    found = []
    if not Supervisor(run_folder).is_running():
        for process in members.members(run_folder):
            with suppress(psutil.Error):
                listening = {c.laddr.port for c in process.net_connections("inet") if c.status == psutil.CONN_LISTEN}
                found.append(LeftOver(process.name(), process.pid, tuple(sorted(listening))))
    return found


def _state(program: ProgramState | None, *, ready: bool) -> str:
    if program is None:
        return "stopped"
    if program.state in RUNNING:  # which the supervisor says by the seconds that it has lived, and we by its answer
        return "running" if ready else "starting"
    return program.state.lower()


def _wait_until_ready(supervisor: Supervisor, services: Sequence[Service]) -> None:
    began = told = time.monotonic()
    pids = {name: program.pid for name, program in supervisor.states().items()}
    waiting = list(services)
    while waiting:
        elapsed = time.monotonic() - began
        for service in [service for service in waiting if service.ready()]:
            logger.info("  %-22s ready after %3.0f s  %s", service.name, elapsed, service.url)
            waiting.remove(service)
        states = supervisor.states()
        for service in waiting:
            _check_starting(service, states.get(service.name), pids[service.name], elapsed)
        if waiting and time.monotonic() - told > TELL_EVERY_SECONDS:
            logger.info("  %3.0f s, waiting for %s", elapsed, ", ".join(service.name for service in waiting))
            told = time.monotonic()
        time.sleep(POLL_SECONDS if waiting else 0)


def _check_starting(service: Service, program: ProgramState | None, first_pid: int, elapsed: float) -> None:
    if program is None or program.state not in RUNNING or program.pid != first_pid:
        raise SetupError(f"{service.name} ended while starting. {last_lines(service.log)}")
    if elapsed > service.start_seconds:
        raise SetupError(f"{service.name} was not ready after {elapsed:.0f} s. {last_lines(service.log)}")
