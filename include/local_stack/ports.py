"""Which ports of 127.0.0.1 are free, and who holds those that are not."""

from __future__ import annotations

import random
import socket
from collections.abc import Iterable, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

import psutil

from include.errors import SetupError

ADDRESS = "127.0.0.1"
FIRST = 12_000
LOCAL_PORTS = Path("/proc/sys/net/ipv4/ip_local_port_range")


@dataclass(frozen=True)
class PortNeed:
    """A port that a service listens on, and the setting that chooses it."""

    port: int
    setting: str  # the environment variable


def check_ports(needs: Sequence[PortNeed], *, ours: Iterable[int] = ()) -> None:
    """Check that every port can be listened on, or is already held by one of the processes ``ours``.

    Raises:
        SetupError: a port is taken or asked for twice; names the port, who holds it, and the setting to change.
    """
    allowed = set(ours)
    settings: dict[int, str] = {}
    for need in needs:
        if need.port in settings:
            msg = f"{settings[need.port]} and {need.setting} are both {need.port}. Give one of them another port."
            raise SetupError(msg)
        settings[need.port] = need.setting
        if is_free(need.port):
            continue
        holder = _listener(need.port)
        if holder is None or holder.pid not in allowed:
            raise SetupError(_taken(need, holder))


def is_free(port: int) -> bool:
    """Whether a server could listen on 127.0.0.1:``port`` now."""
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)  # as servers do: closed connections do not count
        try:
            probe.bind((ADDRESS, port))
        except OSError:
            return False
    return True


def free_ports(count: int) -> list[int]:
    """Ports that nobody listens on at the moment; for tests.

    They are none of those that the system gives to outgoing connections: a server that is stopped and started again
    would else find its port taken by any client's.
    """
    found: set[int] = set()
    candidates = _not_for_connections()
    for _ in range(100 * count):
        if len(found) == count:
            return list(found)
        port = random.choice(candidates)  # noqa: S311 — not a secret
        if is_free(port):
            found.add(port)
    raise SetupError(f"No {count} of the ports {candidates[0]} to {candidates[-1]} are free.")


def _not_for_connections() -> range:
    """Ports that Linux does not take for outgoing connections, or all high ones where it takes nearly all."""
    try:
        lowest = int(LOCAL_PORTS.read_text(encoding="ascii").split()[0])
    except (OSError, ValueError):
        lowest = 32768  # Linux' own default
    return range(FIRST, lowest) if lowest - FIRST >= 1000 else range(FIRST, 65536)


def _listener(port: int) -> psutil.Process | None:
    with suppress(psutil.Error, OSError):
        for connection in psutil.net_connections("tcp"):
            if connection.status == psutil.CONN_LISTEN and connection.laddr[1:2] == (port,) and connection.pid:
                return psutil.Process(connection.pid)
    return None


def _taken(need: PortNeed, holder: psutil.Process | None) -> str:
    who = "another user's process"
    if holder is not None:
        with suppress(psutil.Error):
            who = f"{holder.name()} (process {holder.pid})"
    return (
        f"Port {need.port} is in use by {who}. End it, or choose another port by {need.setting}, "
        f"for example: {need.setting}={_suggestion(need.port)} make up"
    )


def _suggestion(port: int) -> int:
    return next(candidate for candidate in range(port % 20000 + 10000, 65536) if is_free(candidate))
