"""The address that the API's own server listens at: taken first, announced when it answers there."""

from __future__ import annotations

import errno
import logging
import socket
from typing import TYPE_CHECKING

from include.errors import SetupError

if TYPE_CHECKING:
    import uvicorn

log = logging.getLogger(__name__)


def bound(host: str, port: int) -> socket.socket:
    """A socket that has the address and does not listen yet, so that who comes too early is refused at once.

    Raises:
        SetupError: the port is in use, or this machine has no such address.
    """
    listener = socket.socket(socket.AF_INET6 if ":" in host else socket.AF_INET)
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)  # connections that are closed do not count
    try:
        listener.bind((host, port))
    except (OSError, UnicodeError) as error:
        listener.close()
        raise _refused(host, port, error) from error
    return listener


def announcing(config: uvicorn.Config, listener: socket.socket) -> uvicorn.Server:
    """A server that tells its address as soon as it listens; ``run`` raises ``SetupError`` when it cannot."""
    import uvicorn  # noqa: PLC0415 — takes a tenth of a second

    class Announcing(uvicorn.Server):
        async def startup(self, sockets: list[socket.socket] | None = None) -> None:
            host, port = listener.getsockname()[:2]
            try:
                listener.listen(config.backlog)  # uvloop would say nothing of a failure
            except OSError as error:  # another process that had the address, too, was quicker
                raise _refused(host, port, error) from error
            await super().startup(sockets)
            if self.started:
                log.info("Image search at http://%s:%d/docs", f"[{host}]" if ":" in host else host, port)

    return Announcing(config)


def _refused(host: str, port: int, error: Exception) -> SetupError:
    if isinstance(error, OSError) and error.errno == errno.EADDRINUSE:
        return SetupError(f"Port {port} of {host} is in use. End what listens there, or choose another by --port.")
    why = getattr(error, "strerror", None) or error
    return SetupError(f"Nothing can listen on port {port} of {host}: {why}. Choose others by --host and --port.")
