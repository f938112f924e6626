"""A query and its neighbours as one picture, with what is known of each written below."""

from __future__ import annotations

import io
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from include.errors import EmbsearchError, SetupError
from include.images.index import SimilarImage
from include.images.pictures import PictureLimits, decode
from include.objects.store import ObjectStore
from include.settings import Settings

SIDE, GAP, TEXT = 224, 16, 58  # pixels
PAPER, INK, FRAME = "white", "black", (200, 60, 40)


def write_sheet(target: Path, query: bytes, found: Sequence[SimilarImage], settings: Settings) -> Path:
    """Draw the encoded ``query`` and the images ``found``, and write the sheet as PNG; return its absolute path.

    A neighbour whose file cannot be read is an empty frame.

    Raises:
        InputError: the query is no picture.
        SetupError: nothing can be written at ``target``.
    """
    from PIL import Image, ImageDraw  # noqa: PLC0415 — takes a tenth of a second

    store, limits = ObjectStore.from_settings(settings), PictureLimits.from_settings(settings)
    sheet = Image.new("RGB", (GAP + (len(found) + 1) * (SIDE + GAP), SIDE + 2 * GAP + TEXT), PAPER)
    draw = ImageDraw.Draw(sheet)
    cells: list[tuple[Any, str]] = [(_fitted(decode(query, limits)), "query")]
    cells += [(_read(each, store, limits), _told(each)) for each in found]
    for number, (picture, text) in enumerate(cells):
        left = GAP + number * (SIDE + GAP)
        if picture is not None:
            sheet.paste(picture, (left, GAP))
        frame = (left - 3, GAP - 3, left + SIDE + 2, GAP + SIDE + 2)
        draw.rectangle(frame, outline=FRAME if number == 0 or picture is None else INK, width=3 if number == 0 else 1)
        draw.multiline_text((left, GAP + SIDE + 8), text, fill=INK, font_size=14)
    buffer = io.BytesIO()
    sheet.save(buffer, "PNG")
    try:
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_bytes(buffer.getvalue())
    except OSError as error:
        raise SetupError(f"The sheet cannot be written to {target}: {error.strerror}. Give another place.") from error
    return target.resolve()


def _read(image: SimilarImage, store: ObjectStore, limits: PictureLimits) -> Any:
    for address in (image.local_path, image.storage_url):
        if address:
            try:
                return _fitted(decode(store.read(address, most_bytes=limits.most_bytes), limits))
            except EmbsearchError:
                continue
    return None


def _fitted(picture: Any) -> Any:
    from PIL import ImageOps  # noqa: PLC0415

    return ImageOps.pad(picture, (SIDE, SIDE), color=PAPER)


def _told(image: SimilarImage) -> str:
    """In letters that Pillow's own font has."""
    return f"{image.similarity_score:.4f}  image {image.image_id}\n{image.product_name}\n{image.defect_code}"
