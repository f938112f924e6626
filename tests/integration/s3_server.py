"""A real S3 server for tests (moto's), on a free port, and servers that misbehave in one way each."""

from __future__ import annotations

import hashlib
import os
import socketserver
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import httpx
from pydantic import SecretStr

from include.local_stack.ports import free_ports
from include.local_stack.service import Service
from include.objects.store import ObjectStore
from include.settings import Settings
from tests.integration.guarded_server import GuardedServer

KEY, SECRET = "AKIAIOSFODNN7EXAMPLE", "wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY"
STORES = "s3://images, s3://no-such-bucket"


@dataclass
class S3Server(GuardedServer):
    """One server; its buckets are in its memory."""

    service: Service
    url: str

    @classmethod
    def at(cls, folder: Path) -> S3Server:
        (port,) = free_ports(1)
        url = f"http://127.0.0.1:{port}"
        folder.mkdir(parents=True, exist_ok=True)
        service = Service(
            name="s3",
            command=(sys.executable, "-m", "moto.server", "-H", "127.0.0.1", "-p", str(port)),
            ready=lambda: _answers(url),
            ports=(port,),
            log=folder / "s3.log",
            env={"PATH": os.environ["PATH"], "AWS_EC2_METADATA_DISABLED": "true"},
            folder=folder,
            start_seconds=60.0,
        )
        return cls(service, url)

    def make_bucket(self, name: str) -> None:
        httpx.put(f"{self.url}/{name}").raise_for_status()

    @contextmanager
    def demanding_known_keys(self) -> Iterator[None]:
        """Keys count only while this lasts, and none is known."""
        httpx.post(f"{self.url}/moto-api/reset-auth", content=b"0").raise_for_status()
        try:
            yield
        finally:
            httpx.post(f"{self.url}/moto-api/reset-auth", content=b"1000000000").raise_for_status()

    def settings(self, **more: Any) -> dict[str, Any]:
        return s3_settings(self.url, **more)


def s3_settings(url: str, **more: Any) -> dict[str, Any]:
    """What leads to a server, by a client that loses no time."""
    given = {
        "images_roots": "",
        "images_stores": STORES,
        "images_s3_endpoint": url,
        "images_s3_key": SecretStr(KEY),
        "images_s3_secret": SecretStr(SECRET),
        "images_s3_connect_seconds": 1.0,
        "images_s3_read_seconds": 1.0,
        "images_s3_total_seconds": 5.0,
        "images_s3_retries": 0,
    }
    return given | more


def store_at(url: str, **more: Any) -> ObjectStore:
    return ObjectStore.from_settings(Settings(_env_file=None, **s3_settings(url, **more)))


class Requests(list[bytes]):
    """The heads of the requests that a server has had."""


@contextmanager
def misbehaving(answer: Callable[[Any], object]) -> Iterator[tuple[str, Requests]]:
    """A server that answers each request by ``answer(socket)`` and then hangs up; its URL, and what it was asked."""
    asked = Requests()

    class Handler(socketserver.BaseRequestHandler):
        def handle(self) -> None:
            head = b""
            while b"\r\n\r\n" not in head and (part := self.request.recv(65536)):
                head += part
            asked.append(head)
            with suppress(OSError):  # the client has hung up
                answer(self.request)

    class Server(socketserver.ThreadingTCPServer):
        daemon_threads = True
        block_on_close = False

    with Server(("127.0.0.1", 0), Handler) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        try:
            yield f"http://127.0.0.1:{server.server_address[1]}", asked
        finally:
            server.shutdown()


@contextmanager
def without_right_to_list(objects: dict[str, bytes]) -> Iterator[str]:
    """The URL of a store that answers as S3 does who may read and delete, not list: what is not there is forbidden.

    ``objects`` are the contents by ``/bucket/key``; what is deleted leaves them.
    """

    class Handler(BaseHTTPRequestHandler):
        def do_HEAD(self) -> None:
            self._answer(objects.get(urlsplit(self.path).path), with_body=False)

        def do_GET(self) -> None:
            self._answer(objects.get(urlsplit(self.path).path))

        def do_DELETE(self) -> None:
            objects.pop(urlsplit(self.path).path, None)
            self._answer(b"", status=204)

        def _answer(self, data: bytes | None, *, with_body: bool = True, status: int = 200) -> None:
            self.send_response(403 if data is None else status)
            self.send_header("Content-Length", str(len(data or b"")))
            self.send_header("ETag", f'"{hashlib.md5(data or b"", usedforsecurity=False).hexdigest()}"')
            self.end_headers()
            self.wfile.write(data or b"" if with_body else b"")

        def log_message(self, *_: object) -> None: ...

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        try:
            yield f"http://127.0.0.1:{server.server_address[1]}"
        finally:
            server.shutdown()


def _answers(url: str) -> bool:
    try:
        return httpx.get(f"{url}/moto-api/", timeout=2).status_code < 500
    except httpx.HTTPError:
        return False
