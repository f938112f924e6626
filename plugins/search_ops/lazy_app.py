"""An ASGI application that is made at its first request, in the web server alone."""

from __future__ import annotations

import asyncio
import json
import logging
import time
from importlib import import_module
from typing import Any

log = logging.getLogger(__name__)

PAUSE_SECONDS = 30  # between two tries, and told to callers


class LazyApp:
    """Stands for what ``make()`` of a module makes. What fails is tried again, but not for every request of anybody."""

    def __init__(self, module: str) -> None:
        self._module = module
        self._made: Any = None
        self._making = asyncio.Lock()
        self._next_try = 0.0

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        """Pass a request on."""
        async with self._making:
            if self._made is None and time.monotonic() >= self._next_try:
                try:
                    self._made = await asyncio.to_thread(lambda: import_module(self._module).make())
                except Exception:
                    log.exception("%s cannot be started", self._module)
                    self._next_try = time.monotonic() + PAUSE_SECONDS
        if self._made is not None:
            await self._made(scope, receive, send)
        elif scope["type"] == "http":
            await _unavailable(send)


async def _unavailable(send: Any) -> None:
    message = "This part of the server could not be started. Its log says why."
    body = json.dumps({"error": {"code": "unavailable", "message": message, "request_id": ""}}).encode()
    headers = [(b"content-type", b"application/json"), (b"retry-after", str(PAUSE_SECONDS).encode())]
    await send({"type": "http.response.start", "status": 503, "headers": headers})
    await send({"type": "http.response.body", "body": body})
