"""Bytes to pictures, and nothing else: bounded before anything is decoded.

What stands in the header is checked first, so that a file of some bytes cannot ask for gigabytes of pixels; then the
whole picture is decoded, so that what follows never meets a file that is cut off or only looks like a picture.
"""

from __future__ import annotations

import io
import threading
from dataclasses import dataclass
from typing import TYPE_CHECKING, Self

from include.errors import InputError
from include.model_export.preprocess import upright

if TYPE_CHECKING:
    from pathlib import Path

    from PIL.Image import Image

    from include.settings import Settings

FORMATS = ("JPEG", "PNG", "WEBP", "BMP")
MOST_SIDE = 16_384  # pixels; the longest side that WebP knows, and far beyond any camera
AT_ONCE = 4  # decoded at the same time in one process: a bound of its memory

_decoding = threading.BoundedSemaphore(AT_ONCE)


class NotAPicture(InputError):
    """The bytes are no picture of a format that is taken, or a broken one."""


class PictureTooLarge(InputError):
    """The picture has more bytes or pixels than are taken."""


@dataclass(frozen=True)
class PictureLimits:
    """What is taken."""

    most_bytes: int = 20_000_000
    most_pixels: int = 50_000_000

    @classmethod
    def from_settings(cls, settings: Settings) -> Self:
        """``images_max_bytes`` and ``images_max_pixels``."""
        return cls(settings.images_max_bytes, settings.images_max_pixels)


def decode(data: bytes, limits: PictureLimits) -> Image:
    """The picture in ``data`` as RGB, turned as its EXIF entry says; of a moving one the first frame.

    The format is told by the content, never by a name.

    Raises:
        PictureTooLarge: too many bytes, or its header announces too many pixels.
        NotAPicture: not a JPEG, PNG, WebP or BMP, or broken.
    """
    if not data:
        raise NotAPicture("The file is empty.")
    if len(data) > limits.most_bytes:
        raise PictureTooLarge(f"The file has {len(data):,} bytes; at most {limits.most_bytes:,} are taken.")
    with _decoding:
        return _decoded(data, limits)


def read_picture(path: Path, limits: PictureLimits) -> bytes:
    """The bytes of a local file that :func:`decode` takes, so no more of them than it takes.

    Raises:
        InputError: it is no file, or cannot be read.
        PictureTooLarge, NotAPicture: as :func:`decode`.
    """
    try:
        if not path.is_file():
            raise InputError(f"{path} is no file. Give the file of a picture.")
        with path.open("rb") as file:
            data = file.read(limits.most_bytes + 1)
    except OSError as error:
        raise InputError(f"{path} cannot be read: {error.strerror}.") from error
    if len(data) > limits.most_bytes:
        raise PictureTooLarge(f"{path} has {path.stat().st_size:,} bytes; at most {limits.most_bytes:,} are taken.")
    try:
        decode(data, limits)
    except InputError as error:
        raise type(error)(f"{path}: {error}") from error
    return data


def check_size(data: bytes, limits: PictureLimits) -> None:
    """Refuse a picture whose header announces too many pixels; nothing is decoded, what is no picture passes.

    Raises:
        PictureTooLarge: it has more pixels than are taken.
    """
    from PIL import Image, UnidentifiedImageError  # noqa: PLC0415 — takes a tenth of a second

    try:
        with Image.open(io.BytesIO(data), formats=FORMATS) as found:
            _check_size(found.size, limits)
    except Image.DecompressionBombError as error:
        raise _too_many_pixels(limits) from error
    except (UnidentifiedImageError, NotAPicture, OSError, SyntaxError, ValueError):
        return  # who decodes it says what is wrong


def _decoded(data: bytes, limits: PictureLimits) -> Image:
    from PIL import Image  # noqa: PLC0415 — takes a tenth of a second

    try:
        with Image.open(io.BytesIO(data), formats=FORMATS) as found:
            _check_size(found.size, limits)
            picture = upright(found).convert("RGB")
    except PictureTooLarge:
        raise
    except Image.DecompressionBombError as error:
        raise _too_many_pixels(limits) from error
    except Exception as error:  # a decoder meets whatever a stranger wrote, and says so in many classes
        msg = f"Not a readable {', '.join(FORMATS[:-1])} or {FORMATS[-1]} picture ({_short(error)})."
        raise NotAPicture(msg) from error
    return picture


def _check_size(size: tuple[int, int], limits: PictureLimits) -> None:
    width, height = size
    if width * height > limits.most_pixels or max(size) > MOST_SIDE:
        msg = (
            f"The picture has {width:,} × {height:,} pixels; at most {limits.most_pixels:,} are taken, and "
            f"{MOST_SIDE:,} on a side."
        )
        raise PictureTooLarge(msg)
    if min(size) < 1:
        raise NotAPicture("The picture has no pixels.")


def _too_many_pixels(limits: PictureLimits) -> PictureTooLarge:
    return PictureTooLarge(f"The picture announces more than {limits.most_pixels:,} pixels.")


def _short(error: Exception) -> str:
    """The decoder's words without addresses of objects."""
    said = str(error).partition("<")[0].strip() or type(error).__name__
    return said[:120]
