"""Ask a server on this machine whether it is there."""

from __future__ import annotations

import json
import urllib.request
from typing import Any

# Without the proxy that the environment may name: it cannot reach 127.0.0.1 of this machine.
_opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))


def answers(url: str, *, seconds: float = 2.0) -> bool:
    """Whether a GET gives 200."""
    try:
        with _opener.open(url, timeout=seconds) as response:
            return bool(response.status == 200)
    except (OSError, ValueError):
        return False


def json_at(url: str, *, seconds: float = 5.0) -> Any:
    """The JSON at ``url``, or None when there is none."""
    try:
        with _opener.open(url, timeout=seconds) as response:
            return json.load(response)
    except (OSError, ValueError):
        return None
