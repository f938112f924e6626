"""Drawn pictures and synthesised sounds, the same each time, on which exports are compared with their source model."""

from __future__ import annotations

import io

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw

PICTURES = 24
SOUNDS = 16
COLOURS = ("red", "green", "blue", "yellow", "white", "black", "orange", "purple")


def pictures() -> tuple[bytes, ...]:
    """PNG files of several sizes, ratios and modes: shapes, gradients, noise, transparency."""
    return tuple(_picture(number) for number in range(PICTURES))


def _picture(number: int) -> bytes:
    random = np.random.default_rng(number)
    width, height = (int(size) for size in random.integers(24, 640, 2))
    if number % 6 == 0:
        image = Image.fromarray(random.integers(0, 256, (height, width, 3), dtype=np.uint8))
    else:
        ramp = np.linspace(0, 255, width, dtype=np.uint8)
        image = Image.fromarray(np.broadcast_to(ramp, (height, width)).copy()).convert("RGB")
        _draw(image, random)
    mode = {1: "L", 2: "RGBA", 3: "P"}.get(number % 8, "RGB")
    buffer = io.BytesIO()
    image.convert(mode).save(buffer, "PNG")
    return buffer.getvalue()


def _draw(image: Image.Image, random: np.random.Generator) -> None:
    draw = ImageDraw.Draw(image)
    for _ in range(6):
        left, top = int(random.integers(image.width)), int(random.integers(image.height))
        box = (left, top, left + int(random.integers(8, 200)), top + int(random.integers(8, 200)))
        colour = COLOURS[int(random.integers(len(COLOURS)))]
        (draw.ellipse if random.random() < 0.5 else draw.rectangle)(box, fill=colour)


def sounds(sample_rate: int) -> tuple[NDArray[np.float32], ...]:
    """Mono samples: tones, sweeps, noise, clicks and silence, from 0.1 s to longer than a model takes."""
    return tuple(_sound(number, sample_rate) for number in range(SOUNDS))


def _sound(number: int, sample_rate: int) -> NDArray[np.float32]:
    random = np.random.default_rng(number)
    seconds = (1.0, 0.1, 3.0, 10.5, 0.5, 2.0, 10.0, 5.0)[number % 8]
    time = np.arange(int(seconds * sample_rate)) / sample_rate
    pitch = 110.0 * 2 ** random.integers(0, 5)
    wave = {
        0: np.sin(2 * np.pi * pitch * time),
        1: np.sin(2 * np.pi * pitch * time * (1 + time)),
        2: random.normal(0.0, 0.3, len(time)),
        3: (time % 0.25 < 0.002) * 1.0,
        4: np.sin(2 * np.pi * pitch * time) * np.sin(2 * np.pi * 4.0 * time),
        5: np.sign(np.sin(2 * np.pi * pitch * time)) * np.exp(-time),
        6: np.zeros(len(time)),
    }[number % 7]
    return (0.5 * wave).astype(np.float32)
