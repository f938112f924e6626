"""What made two pictures similar, drawn: a heat map, and the same laid over the picture.

The method is occlusion sensitivity (Zeiler and Fergus, "Visualizing and Understanding Convolutional Networks", 2014):
each patch of a grid is painted in the picture's mean colour, the picture is embedded again, and what its cosine with
the neighbour loses is the patch's weight. It needs nothing of the model but its vectors, so it is true of any model.
"""

from __future__ import annotations

import io
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from itertools import pairwise
from typing import TYPE_CHECKING, Any
from uuid import uuid4

import numpy as np
from numpy.typing import NDArray

from include.errors import InputError

if TYPE_CHECKING:
    from PIL.Image import Image

    from include.objects.store import ObjectStore

GRID = 7  # patches on a side
PATCHES = GRID**2  # each embedded as an image of its own, in one request with the picture itself
LONGEST_SIDE = 512  # pixels of what is embedded and drawn
OPACITY = 0.45
_COLD, _WARM, _HOT = (13, 8, 135), (204, 71, 120), (240, 249, 33)  # as in matplotlib's "plasma"

Vectors = NDArray[np.float32]
Embed = Callable[[Sequence[bytes]], Vectors]  # encoded images → [N, D] of unit length


@dataclass(frozen=True)
class ResultImages:
    """Encoded as PNG."""

    heat_map: bytes
    overlay: bytes


def result_images(picture: Image, neighbour: Vectors, embed: Embed, *, grid: int = GRID) -> ResultImages:
    """Draw which parts of ``picture`` (RGB) make it similar to the one whose unit vector ``[D]`` is ``neighbour``."""
    small = picture.copy()
    small.thumbnail((LONGEST_SIDE, LONGEST_SIDE))
    weights = occlusion_weights(small, neighbour, embed, grid=grid)
    heat = _coloured(weights, small.size)
    from PIL import Image as images  # noqa: PLC0415, N813

    return ResultImages(_png(heat), _png(images.blend(small, heat, OPACITY)))


def occlusion_weights(picture: Image, neighbour: Vectors, embed: Embed, *, grid: int = GRID) -> NDArray[np.float32]:
    """``[grid, grid]`` from 0 to 1: how much of the cosine with ``neighbour`` is lost without each patch.

    The largest loss is 1; a patch without which both are as similar, or more, is 0. All are 0 where no patch matters.
    """
    pixels = np.asarray(picture)
    rows, columns = (np.linspace(0, size, grid + 1).round().astype(int) for size in pixels.shape[:2])
    mean = pixels.reshape(-1, 3).mean(axis=0).astype(np.uint8)
    views = [_png(picture)]
    for top, bottom in pairwise(rows):
        for left, right in pairwise(columns):
            views.append(_png(_painted(pixels, (top, bottom, left, right), mean)))
    cosines = embed(views) @ np.asarray(neighbour, np.float32)
    lost = np.clip(cosines[0] - cosines[1:], 0, None).reshape(grid, grid)
    most = float(lost.max())
    weights: NDArray[np.float32] = (lost / most if most > 0 else lost).astype(np.float32)
    return weights


def check_place(prefix: str) -> None:
    """Look whether there is a place for result images, before they are made.

    Raises:
        InputError: none is set.
    """
    if not prefix:
        msg = "EMBSEARCH_IMAGES_RESULT_STORE is not set: there is no place for result images. Ask for Base64 instead."
        raise InputError(msg)


def publish(images: ResultImages, store: ObjectStore, prefix: str) -> dict[str, str]:
    """Store both below ``prefix`` under a name that cannot be guessed; return a link to each by its name.

    Raises:
        InputError: no place is set, or it is outside of what is allowed.
    """
    check_place(prefix)
    folder = f"{prefix.rstrip('/')}/{datetime.now(UTC):%Y-%m-%d}/{uuid4().hex}"
    links = {}
    for name in ("heat_map", "overlay"):
        url = store.write(f"{folder}/{name}.png", getattr(images, name), content_type="image/png")
        links[name] = store.link(url)
    return links


def _painted(pixels: NDArray[np.uint8], patch: tuple[int, int, int, int], colour: NDArray[np.uint8]) -> Image:
    from PIL import Image as images  # noqa: PLC0415, N813

    top, bottom, left, right = patch
    painted = pixels.copy()
    painted[top:bottom, left:right] = colour
    return images.fromarray(painted)


def _coloured(weights: NDArray[np.float32], size: tuple[int, int]) -> Image:
    """The grid as a picture of ``size``, smooth, from cold to hot."""
    from PIL import Image as images  # noqa: PLC0415, N813

    smooth = images.fromarray(weights).resize(size, images.Resampling.BICUBIC)
    values = np.clip(np.asarray(smooth), 0, 1)
    stops = np.array([_COLD, _WARM, _HOT], np.float32)
    channels: list[Any] = [np.interp(values, [0, 0.5, 1], stops[:, channel]) for channel in range(3)]
    return images.fromarray(np.stack(channels, axis=-1).astype(np.uint8))


def _png(picture: Image) -> bytes:
    buffer = io.BytesIO()
    picture.save(buffer, "PNG", compress_level=1)
    return buffer.getvalue()
