"""Items of any medium to measure a served model with, made on the spot."""

from __future__ import annotations

import random
import struct
import zlib
from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from include.catalog.models import Medium

NAMES = ("waterproof hiking backpack", "rainproof rucksack for trekking", "dark roast coffee beans")
EDGE = 256  # pixels
SECONDS, RATE = 5, 48_000


def sample_items(medium: Medium, count: int) -> Sequence[Any]:
    """``count`` different short texts, PNG images of noise, or tones."""
    if medium == "text":
        return [f"{NAMES[number % len(NAMES)]} {number}" for number in range(count)]
    make = _image if medium == "image" else _sound
    return [make(number) for number in range(count)]


def _image(number: int) -> bytes:
    noise = random.Random(number)  # noqa: S311 — a picture, no secret
    rows = b"".join(b"\x00" + noise.randbytes(3 * EDGE) for _ in range(EDGE))  # each without a filter
    header = struct.pack(">IIBBBBB", EDGE, EDGE, 8, 2, 0, 0, 0)  # 8 bits a channel, RGB
    chunks = ((b"IHDR", header), (b"IDAT", zlib.compress(rows, 1)), (b"IEND", b""))
    return b"\x89PNG\r\n\x1a\n" + b"".join(_chunk(kind, data) for kind, data in chunks)


def _chunk(kind: bytes, data: bytes) -> bytes:
    return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))


def _sound(number: int) -> NDArray[np.float32]:
    time = np.arange(SECONDS * RATE, dtype=np.float32) / RATE
    return np.asarray(np.sin(2 * np.pi * (110 + number) * time) / 2, np.float32)
