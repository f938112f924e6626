"""An ASGI application that is made at its first request, in the web server alone."""

from __future__ import annotations

import asyncio
import json
import logging
from importlib import import_module
from typing import Any

log = logging.getLogger(__name__)


class LazyApp:
    """Stands for what ``make()`` of a module makes. What fails is tried again at the next request."""

    def __init__(self, module: str) -> None:
        self._module = module
        self._made: Any = None
        self._making = asyncio.Lock()

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        """Pass a request on."""
        async with self._making:
            if self._made is None:
                try:
                    self._made = await asyncio.to_thread(lambda: import_module(self._module).make())
                except Exception:
                    log.exception("%s cannot be started", self._module)
        if self._made is not None:
            await self._made(scope, receive, send)
        elif scope["type"] == "http":
            await _unavailable(send)


async def _unavailable(send: Any) -> None:
    message = "This part of the server could not be started. Its log says why."
    body = json.dumps({"error": {"code": "unavailable", "message": message, "request_id": ""}}).encode()
    headers = [(b"content-type", b"application/json"), (b"retry-after", b"30")]
    await send({"type": "http.response.start", "status": 503, "headers": headers})
    await send({"type": "http.response.body", "body": body})
