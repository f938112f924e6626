"""TLS before a server that has none itself, as a proxy in production: decrypts, and passes all on."""

from __future__ import annotations

import socket
import ssl
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress

from tests.integration.certificates import Certificates


@contextmanager
def tls_before(port: int, certificates: Certificates) -> Iterator[int]:
    """The port of 127.0.0.1 on which ``port`` is reached by TLS."""
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    context.load_cert_chain(certificates.certificate, certificates.key)
    with socket.create_server(("127.0.0.1", 0)) as listener:
        threading.Thread(target=_accept, args=(listener, context, port), daemon=True).start()
        yield listener.getsockname()[1]


def _accept(listener: socket.socket, context: ssl.SSLContext, port: int) -> None:
    with suppress(OSError):  # the listener is closed at the end
        while True:
            incoming, _ = listener.accept()
            threading.Thread(target=_serve, args=(incoming, context, port), daemon=True).start()


def _serve(incoming: socket.socket, context: ssl.SSLContext, port: int) -> None:
    with (
        suppress(OSError),
        context.wrap_socket(incoming, server_side=True) as secure,
        socket.create_connection(("127.0.0.1", port)) as plain,
    ):
        threading.Thread(target=_pass_on, args=(plain, secure), daemon=True).start()
        _pass_on(secure, plain)


def _pass_on(source: socket.socket, target: socket.socket) -> None:
    with suppress(OSError):
        while said := source.recv(1 << 16):
            target.sendall(said)
        target.shutdown(socket.SHUT_WR)
