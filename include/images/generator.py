"""Pictures of products with and without defects, drawn by a seed: same seed, same bytes."""

from __future__ import annotations

import io
import zlib
from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from include.images.defects import DEFECTS, Defect
from include.images.parameters import DEFECT, NORMAL
from include.images.textures import PRODUCTS, Product, picture_of

SIDE = 256  # pixels; square, so that a model that crops sees all
QUALITY = 90  # of JPEG


@dataclass(frozen=True)
class Drawing:
    """One picture to be drawn."""

    product: Product
    defect: Defect | None
    number: int  # among those of the same product and defect
    seed: int

    @property
    def image_type(self) -> str:
        """``normal`` or ``defect``."""
        return NORMAL if self.defect is None else DEFECT

    @property
    def name(self) -> str:
        """Of the file: ``<product>_<defect>_<number>.jpg``."""
        return f"{self.product.code}_{self.defect.code if self.defect else NORMAL}_{self.number:06d}.jpg"

    def draw(self, *, side: int = SIDE) -> bytes:
        """The picture as JPEG."""
        from PIL import Image  # noqa: PLC0415 — takes a tenth of a second

        random = np.random.default_rng([self.seed, zlib.crc32(self.name.encode())])
        picture = picture_of(self.product, side, random)
        if self.defect:
            picture = self.defect.draw(picture, random)
        buffer = io.BytesIO()
        Image.fromarray(np.clip(picture, 0, 255).astype(np.uint8)).save(buffer, "JPEG", quality=QUALITY)
        return buffer.getvalue()


def drawings(count: int, *, seed: int = 0, first: int = 0) -> Iterator[Drawing]:
    """``count`` pictures: products and defects in turn, a fifth of them without a defect.

    ``first`` is where the numbers begin: pictures with other numbers show the same things, and are others.
    """
    kinds: tuple[Defect | None, ...] = (*DEFECTS, None)
    combinations = [(product, defect) for defect in kinds for product in PRODUCTS]
    for place in range(count):
        product, defect = combinations[place % len(combinations)]
        yield Drawing(product, defect, first + place // len(combinations), seed)
