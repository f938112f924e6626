"""From images and sounds to a graph's input, by the plain values of the manifest.

Needs numpy and Pillow alone, nothing of this project: the gate runs this file in the export environment, and a server
runs the same file, copied beside its model. It does as transformers' ``CLIPImageProcessor`` and
``ClapFeatureExtractor`` do.
"""

from __future__ import annotations

import io
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

if TYPE_CHECKING:
    from PIL.Image import Image as Picture

Floats = NDArray[np.float32]

MAX_PIXELS = 100_000_000  # before or after resizing: few bytes may claim to be an image of any size
# Images come from anywhere, and Pillow's readers of rarer formats start programs or are little tested.
FORMATS = ("PNG", "JPEG", "WEBP", "GIF", "BMP")
DB_FLOOR = 1e-10  # power: the least that has a logarithm here


def pixel_values(image: bytes, settings: Mapping[str, Any]) -> Floats:
    """An encoded image of one of ``FORMATS`` as ``[3, H, W]``, upright; of an animation the first picture.

    Raises:
        ValueError: the bytes are no such image, or it is too large.
    """
    from PIL import Image, UnidentifiedImageError  # noqa: PLC0415 — servers of texts and sounds have no Pillow

    try:
        with Image.open(io.BytesIO(image), formats=FORMATS) as opened:
            size = _resized(opened.width, opened.height, settings["shortest_edge"])
            if max(opened.width * opened.height, size[0] * size[1]) > MAX_PIXELS:
                msg = f"an image of {opened.width} x {opened.height} pixels is too large or too narrow"
                raise ValueError(msg)
            rgb = upright(opened).convert("RGB")
    except (UnidentifiedImageError, OSError, SyntaxError, Image.DecompressionBombError) as error:
        reason = "" if isinstance(error, UnidentifiedImageError) else f": {error}"
        msg = f"not a readable image of {', '.join(FORMATS)}{reason}"
        raise ValueError(msg) from error
    resized = rgb.resize(_resized(*rgb.size, settings["shortest_edge"]), resample=settings["resample"])
    high, wide = settings["crop"]
    left, top = (resized.width - wide) // 2, (resized.height - high) // 2
    pixels = np.asarray(resized.crop((left, top, left + wide, top + high)), np.float32)
    scaled = pixels * np.float32(settings["scale"])
    normalised = (scaled - np.array(settings["mean"], np.float32)) / np.array(settings["std"], np.float32)
    return np.ascontiguousarray(normalised.transpose(2, 0, 1), np.float32)


def upright(picture: Picture) -> Picture:
    """Turned as its EXIF entry says, which transformers' ``load_image`` does, too; with a broken entry as it lies."""
    from PIL import ImageOps  # noqa: PLC0415 — as above

    picture.load()  # what is cut off fails here
    try:
        return ImageOps.exif_transpose(picture)
    except Exception:  # noqa: BLE001 — the entry's reader meets whatever was written, and says so in many classes
        return picture


def _resized(width: int, height: int, shortest: int) -> tuple[int, int]:
    """Width and height with the shortest edge as wanted and the ratio kept."""
    if width <= height:
        return shortest, int(shortest * height / width)
    return int(shortest * width / height), shortest


def input_features(samples: NDArray[Any], settings: Mapping[str, Any], filters: NDArray[np.float64]) -> Floats:
    """Mono samples ``[S]`` between -1 and 1 at the model's sample rate as log-mel in dB, ``[1, T, M]``.

    Raises:
        ValueError: there is no sample, more than one channel, or a sample is not a number.
    """
    if samples.ndim != 1 or not len(samples):
        msg = f"a sound is one row of samples, at least one, not of shape {samples.shape}"
        raise ValueError(msg)
    wave = _fitted(samples[: settings["max_samples"]].astype(np.float64), settings["max_samples"])
    if not np.isfinite(wave).all():
        msg = "some samples are not finite numbers"
        raise ValueError(msg)
    size, hop = settings["n_fft"], settings["hop"]
    window = np.hanning(size + 1)[:-1]  # periodic
    frames = np.lib.stride_tricks.sliding_window_view(np.pad(wave, size // 2, mode="reflect"), size)[::hop]
    # The processor keeps its spectrum in complex64.
    spectrum = np.fft.rfft(frames * window, axis=1).astype(np.complex64)
    power = np.abs(spectrum, dtype=np.float64) ** 2
    mels = 10.0 * np.log10(np.maximum(DB_FLOOR, power @ filters))
    return mels[None].astype(np.float32)


def _fitted(wave: NDArray[np.float64], length: int) -> NDArray[np.float64]:
    """Repeated whole as often as it fits, then padded with silence."""
    repeated = np.tile(wave, length // len(wave))
    return np.pad(repeated, (0, length - len(repeated)))
