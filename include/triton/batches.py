"""Which items share a request: those of about the same length, so that little is padded and none waits for a giant."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np

from include.catalog.models import Medium, medium_of
from include.triton.served import ServedModel
from include.triton.tensors import Array

Rows = Array  # [n] int64: positions in the caller's list

# What one request may hold, its items padded to the largest: a few seconds of work in the slowest supported case, so
# that none is given up while it is worked on. Texts by tokens: `ruri_v3` on two CPU cores without AMX does about 800 a
# second, a GPU more than 100,000. Images and sounds by bytes.
REQUEST_TOKENS, REQUEST_TOKENS_GPU = 4_096, 262_144
REQUEST_BYTES: dict[Medium, int] = {"image": 1 << 24, "audio": 1 << 25}
CHARACTERS = {True: 4.0, False: 1.5}  # of a token, about: of a text in ASCII, and of any other


def cut(items: Sequence[Any], served: ServedModel, *, most: int) -> Iterator[Rows]:
    """The rows of each request, longest items first: at most ``most``, and at most what is said above when padded.

    An item that alone is larger is a request of its own. What comes last is short, so no long one ends the work late.
    """
    medium = medium_of(served.kind)
    sizes, room = [_bytes(item) for item in items], REQUEST_BYTES.get(medium, 0)
    if medium == "text":
        sizes = [min(_tokens(item), served.max_length) for item in items]
        room = REQUEST_TOKENS_GPU if served.runtime in ("packed", "tensorrt") else REQUEST_TOKENS
    order = np.argsort(np.negative(sizes), kind="stable") if len(items) > 1 else np.arange(len(items))
    start = 0
    while start < len(items):
        longest = max(1, sizes[order[start]])
        count = min(most, max(1, room // longest))
        yield order[start : start + count]
        start += count


def _tokens(text: Any) -> int:
    """About how many tokens a text has; 0 for what is none, which is refused when it is encoded."""
    return 2 + int(len(text) / CHARACTERS[text.isascii()]) if isinstance(text, str) else 0


def _bytes(item: Any) -> int:
    """What an item takes on the wire; 0 for one of a wrong type, which is refused when it is encoded."""
    return item.nbytes if isinstance(item, np.ndarray) else len(item) if isinstance(item, bytes) else 0
