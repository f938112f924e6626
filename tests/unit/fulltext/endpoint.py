"""A real OpenAI-compatible endpoint on a free port, which answers well, badly, slowly or not at all."""

from __future__ import annotations

import json
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

Answer = Callable[[BaseHTTPRequestHandler], None]


@dataclass
class Endpoint:
    """Gives the answers in turn, the last one again and again; remembers what it was asked."""

    url: str
    answers: list[Answer]
    asked: list[dict[str, Any]] = field(default_factory=list)
    keys: list[str | None] = field(default_factory=list)


@contextmanager
def endpoint(*answers: Answer) -> Iterator[Endpoint]:
    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            found.keys.append(self.headers["authorization"])
            body = json.loads(self.rfile.read(int(self.headers["content-length"])))
            found.asked.append({**body, "path": self.path})
            answer = found.answers.pop(0) if len(found.answers) > 1 else found.answers[0]
            try:
                answer(self)
            except OSError:
                self.close_connection = True  # the client has gone away

        def log_message(self, *args: Any) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.daemon_threads = True
    found = Endpoint(f"http://127.0.0.1:{server.server_address[1]}/v1", list(answers))
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    try:
        yield found
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


def sends(body: str, status: int = 200) -> Answer:
    def answer(request: BaseHTTPRequestHandler) -> None:
        raw = body.encode()
        request.send_response(status)
        request.send_header("content-length", str(len(raw)))
        request.end_headers()
        request.wfile.write(raw)

    return answer


def says(content: object) -> Answer:
    """A completion whose message is ``content``, as JSON unless it is text."""
    text = content if isinstance(content, str) else json.dumps(content)
    return sends(json.dumps({"choices": [{"message": {"role": "assistant", "content": text}}]}))


def trickles(request: BaseHTTPRequestHandler) -> None:
    """A byte now and then, without an end."""
    request.send_response(200)
    request.end_headers()
    while True:
        request.wfile.write(b" ")
        request.wfile.flush()
        time.sleep(0.02)


def trickles_its_head(request: BaseHTTPRequestHandler) -> None:
    """A header now and then, without an end."""
    request.send_response(200)
    for number in range(1000):
        request.send_header(f"x-{number}", "still thinking")
        request.flush_headers()
        time.sleep(0.02)


def keeps_silent(request: BaseHTTPRequestHandler) -> None:
    """Nothing, until the client goes away."""
    request.connection.settimeout(60)
    request.connection.recv(1)


def hangs_up(request: BaseHTTPRequestHandler) -> None:
    request.close_connection = True
