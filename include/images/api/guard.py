"""What stands before every request: an id, bounds of its body in bytes and seconds, no other site's forms.

It sees the request before anything reads it, and the answer after everything else, so nothing passes it by.
"""

from __future__ import annotations

import asyncio
import logging
from dataclasses import dataclass
from uuid import uuid4

from starlette.datastructures import Headers, MutableHeaders
from starlette.exceptions import HTTPException
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from include.images.api.faults import internal, refusal

log = logging.getLogger(__name__)

SMALL_BODY = 64 << 10  # bytes of a body that is no upload
FORM_BYTES = 64 << 10  # of an upload beside its file
SAFE = {"GET", "HEAD", "OPTIONS"}
# Nothing from elsewhere runs in the pages; no page of another site may frame them or read what they answer.
HEADERS = {
    "Content-Security-Policy": (
        "default-src 'none'; script-src 'self'; style-src 'self' 'unsafe-inline'; img-src 'self' data:; "
        "connect-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'self'"
    ),
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "no-referrer",
    "Cross-Origin-Resource-Policy": "same-origin",
}


@dataclass(frozen=True)
class Bounds:
    """Of a request's body."""

    upload_bytes: int
    seconds: float

    def most_bytes(self, content_type: str) -> int:
        """How large a body of this type may be."""
        return self.upload_bytes + FORM_BYTES if content_type.startswith("multipart/form-data") else SMALL_BODY


class Guard:
    """ASGI middleware."""

    def __init__(self, app: ASGIApp, *, bounds: Bounds) -> None:
        self._app = app
        self._bounds = bounds

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass a request on within its bounds."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        scope["request_id"] = own = uuid4().hex
        answer = _Answer(send, own)
        headers = Headers(scope=scope)
        most = self._bounds.most_bytes(headers.get("content-type", "").lower())
        length = headers.get("content-length", "0")
        if scope["method"] not in SAFE and _other_site(headers):
            await refusal(own, 403, "other_site", "Forms of other sites are not taken.")(scope, receive, answer.send)
        elif not length.isascii() or not length.isdigit() or int(length[:20]) > most:
            await refusal(own, 413, "too_large", _too_large(most))(scope, receive, answer.send)
        else:
            bounded = _Body(receive, most, self._bounds.seconds)
            await self._guarded(scope, bounded, answer)

    async def _guarded(self, scope: Scope, body: _Body, answer: _Answer) -> None:
        try:
            await self._app(scope, body.receive, answer.send)
        except HTTPException as error:  # of the body, while something outside of the routes read it
            if answer.begun:
                raise
            code = "too_large" if error.status_code == 413 else "too_slow"
            told = refusal(answer.request_id, error.status_code, code, str(error.detail))
            await told(scope, body.receive, answer.send)
        except Exception:
            log.exception("%s %s", answer.request_id, scope.get("path"))
            if answer.begun:
                raise
            await internal(answer.request_id)(scope, body.receive, answer.send)


class _Answer:
    """Adds the headers to an answer, and knows whether it has begun."""

    def __init__(self, send: Send, request_id: str) -> None:
        self._send = send
        self.request_id = request_id
        self.begun = False

    async def send(self, message: Message) -> None:
        if message["type"] == "http.response.start":
            self.begun = True
            headers = MutableHeaders(scope=message)
            for name, value in HEADERS.items():
                headers.setdefault(name, value)
            headers.setdefault("Cache-Control", "no-store")
            headers["X-Request-Id"] = self.request_id
        await self._send(message)


class _Body:
    """Counts the bytes and the seconds of a body that comes in."""

    def __init__(self, receive: Receive, most_bytes: int, seconds: float) -> None:
        self._receive, self._most_bytes, self._seconds = receive, most_bytes, seconds
        self._bytes = 0
        self._complete = False
        self._until: float | None = None

    async def receive(self) -> Message:
        if self._complete:  # what comes now is that the caller has gone: there is no hurry
            return await self._receive()
        now = asyncio.get_running_loop().time()
        self._until = self._until or now + self._seconds
        try:
            message = await asyncio.wait_for(self._receive(), self._until - now)
        except TimeoutError:
            self._complete = True
            raise HTTPException(408, f"The body did not come within {self._seconds:g} s.") from None
        if message["type"] == "http.request":
            self._bytes += len(message.get("body", b""))
            self._complete = not message.get("more_body", False)
            if self._bytes > self._most_bytes:
                self._complete = True
                raise HTTPException(413, _too_large(self._most_bytes))
        return message


def _other_site(headers: Headers) -> bool:
    """Whether a browser says that a page from elsewhere sends this; the login in a cookie would come along."""
    return headers.get("sec-fetch-site", "none") not in {"same-origin", "none"}


def _too_large(most: int) -> str:
    return f"The body has more than {most:,} bytes, or an unusable Content-Length."
