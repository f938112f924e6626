"""Which items share a request: those of about the same length, so that little is padded and none waits for a giant."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np

from include.catalog.models import Medium
from include.triton.tensors import Array

Rows = Array  # [n] int64: positions in the caller's list

# Items of a request times the size of its largest, in bytes. A text's tokens are about a quarter of its bytes, so 64
# texts of 4 kB, or 8 of 32 kB, are one request: no more than some seconds of work on a CPU.
REQUEST_BYTES: dict[Medium, int] = {"text": 1 << 18, "image": 1 << 24, "audio": 1 << 25}


def cut(items: Sequence[Any], medium: Medium, *, most: int) -> Iterator[Rows]:
    """The rows of each request, longest items first: at most ``most``, and at most ``REQUEST_BYTES`` when padded.

    An item that alone is larger is a request of its own. What comes last is short, so no long one ends the work late.
    """
    sizes = [_bytes(item) for item in items]
    order = np.argsort(np.negative(sizes), kind="stable") if len(items) > 1 else np.arange(len(items))
    start = 0
    while start < len(items):
        longest = max(1, sizes[order[start]])
        count = min(most, max(1, REQUEST_BYTES[medium] // longest))
        yield order[start : start + count]
        start += count


def _bytes(item: Any) -> int:
    """About what an item takes on the wire; 0 for one of a wrong type, which is refused when it is encoded."""
    if isinstance(item, str):
        return len(item) if item.isascii() else 3 * len(item)
    return item.nbytes if isinstance(item, np.ndarray) else len(item) if isinstance(item, bytes) else 0
