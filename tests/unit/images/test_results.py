"""What made two pictures similar, drawn."""

from __future__ import annotations

import io
from collections.abc import Sequence

import numpy as np
import pytest
from PIL import Image

from include.errors import InputError
from include.images.results import occlusion_weights, publish, result_images
from include.objects.store import ObjectStore
from include.settings import Settings

SIZE = 70  # ten pixels a patch


def scratched() -> Image.Image:
    """White, with a black mark in the patch of row 2 and column 4."""
    pixels = np.full((SIZE, SIZE, 3), 255, np.uint8)
    pixels[20:30, 40:50] = 0
    return Image.fromarray(pixels)


def darkness(images: Sequence[bytes]) -> np.ndarray:
    """A model that sees how much of an image is black: [N, 2] of unit length."""
    dark = [float((np.asarray(Image.open(io.BytesIO(each)).convert("L")) < 100).mean()) for each in images]
    angles = np.array(dark) * 10
    return np.stack([np.cos(angles), np.sin(angles)], axis=1).astype(np.float32)


def test_the_patch_that_counts_is_the_hottest() -> None:
    (neighbour,) = darkness([_png(scratched())])
    weights = occlusion_weights(scratched(), neighbour, darkness)
    assert weights.shape == (7, 7)
    assert weights[2, 4] == 1
    assert np.delete(weights.ravel(), 2 * 7 + 4).max() == 0


def test_where_no_patch_counts_nothing_is_hot() -> None:
    (neighbour,) = darkness([_png(scratched())])
    plain = Image.new("RGB", (SIZE, SIZE), "white")
    assert not occlusion_weights(plain, neighbour, darkness).any()


def test_both_images_are_pngs_of_the_pictures_shape() -> None:
    wide = Image.new("RGB", (1600, 400), "white")
    (neighbour,) = darkness([_png(wide)])
    drawn = result_images(wide, neighbour, darkness)
    for data in (drawn.heat_map, drawn.overlay):
        found = Image.open(io.BytesIO(data))
        assert (found.format, found.size) == ("PNG", (512, 128))


def test_they_are_published_below_the_store_under_names_of_their_own(tmp_path) -> None:  # type: ignore[no-untyped-def]
    settings = Settings(_env_file=None, images_roots="", images_stores=f"file://{tmp_path}")
    store = ObjectStore.from_settings(settings)
    (neighbour,) = darkness([_png(scratched())])
    drawn = result_images(scratched(), neighbour, darkness)

    first, second = (publish(drawn, store, f"file://{tmp_path}/results/") for _ in range(2))

    assert set(first) == {"heat_map", "overlay"}
    assert not set(first.values()) & set(second.values())
    assert store.read(first["overlay"]) == drawn.overlay


def test_without_a_place_for_them_the_caller_is_told(tmp_path) -> None:  # type: ignore[no-untyped-def]
    store = ObjectStore.from_settings(Settings(_env_file=None, images_roots="", images_stores=""))
    (neighbour,) = darkness([_png(scratched())])
    drawn = result_images(scratched(), neighbour, darkness)
    with pytest.raises(InputError, match="EMBSEARCH_IMAGES_RESULT_STORE"):
        publish(drawn, store, "")
    with pytest.raises(InputError, match="outside of the allowed stores"):
        publish(drawn, store, "s3://elsewhere")


def _png(picture: Image.Image) -> bytes:
    buffer = io.BytesIO()
    picture.save(buffer, "PNG")
    return buffer.getvalue()
