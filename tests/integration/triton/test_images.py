"""Encoded images in, vectors out."""

from __future__ import annotations

import struct
import zlib
from pathlib import Path

import numpy as np
import pytest
from tritonclient import http

from include.catalog.models import ModelSpec
from include.errors import InputError
from include.triton.check import check_model, rows_of
from include.triton.client import TritonClient
from tests.integration.triton.raw_requests import assert_refused, column
from tests.integration.triton.small_served import SmallModels


def picture(small: SmallModels, ending: str) -> bytes:
    return (small.folder / f"picture.{ending}").read_bytes()


def empty_png(width: int, height: int) -> bytes:
    """A PNG that claims a size, and is white as far as it goes."""

    def chunk(kind: bytes, data: bytes) -> bytes:
        return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))

    header = struct.pack(">IIBBBBB", width, height, 8, 0, 0, 0, 0)
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + chunk(b"IDAT", zlib.compress(b"\x00")) + chunk(b"IEND", b"")


def test_vectors_are_those_of_the_source_model(small: SmallModels, client: TritonClient) -> None:
    reference = small.manifest("clip_image").reference
    images = [(small.export("clip_image") / name).read_bytes() for name in reference.files]

    vectors = client.embed(small.serve("clip_image"), images)

    assert vectors.shape == (len(images), 24)
    np.testing.assert_allclose(vectors, np.array(reference.vectors), atol=1e-4)


def test_the_format_does_not_matter(small: SmallModels, client: TritonClient) -> None:
    model = small.serve("clip_image")

    png, webp, jpeg, gif = client.embed(model, [picture(small, ending) for ending in ("png", "webp", "jpeg", "gif")])

    np.testing.assert_array_equal(png, webp)
    assert png @ jpeg > 0.999
    assert png @ gif > 0.99


def test_many_images_come_back_in_their_order(small: SmallModels, client: TritonClient) -> None:
    model = small.serve("clip_image")
    kinds = [picture(small, "png"), picture(small, "gif"), (small.folder / "transparent.png").read_bytes()]
    wanted = client.embed(model, kinds)

    vectors = client.embed(model, [kinds[number % 3] for number in range(200)])

    np.testing.assert_allclose(vectors, wanted[[number % 3 for number in range(200)]], atol=1e-5)


def test_the_two_towers_of_clip_share_their_space(small: SmallModels, client: TritonClient) -> None:
    images = client.embed(small.serve("clip_image"), [picture(small, "png")])
    texts = client.embed(small.serve("clip_text"), ["a picture of a fractal"])

    assert images.shape == texts.shape == (1, 24)


@pytest.mark.parametrize(
    ("reason", "image"),
    [
        ("IMAGE 1: not a readable image of PNG, JPEG, WEBP, GIF, BMP", b"this is no image"),
        ("IMAGE 1: not a readable image", b""),
        ("IMAGE 1: not a readable image.*truncated", "half"),
        ("IMAGE 1: not a readable image.*50000x50000|2500000000 pixels", empty_png(50_000, 50_000)),
        ("IMAGE 1: an image of 12000 x 12000 pixels is too large", empty_png(12_000, 12_000)),
        ("IMAGE 1: an image of 1 x 5000000 pixels is too large or too narrow", empty_png(1, 5_000_000)),
        ("IMAGE 1: not a readable image of PNG", "eps"),
    ],
    ids=["text", "nothing", "half a file", "bomb", "too large", "too narrow", "a format that runs a program"],
)
def test_what_is_no_image_is_refused_and_the_server_lives_on(
    small: SmallModels, connection: http.InferenceServerClient, reason: str, image: bytes | str
) -> None:
    good = picture(small, "png")
    bad = {"half": good[: len(good) // 2], "eps": picture(small, "eps")}[image] if isinstance(image, str) else image

    model = small.serve("clip_image")
    assert_refused(connection, model, reason, then={"IMAGE": column(good)}, IMAGE=column(good, bad))


def test_too_many_images_at_once_are_refused(small: SmallModels, connection: http.InferenceServerClient) -> None:
    good = picture(small, "png")
    many = column(*[good] * 65)

    model = small.serve("clip_image")
    assert_refused(connection, model, "batch-size must be <= 64", then={"IMAGE": column(good)}, IMAGE=many)


def test_a_client_that_sends_no_images_hears_of_it(small: SmallModels, client: TritonClient) -> None:
    model = small.serve("clip_image")
    with pytest.raises(InputError, match="Item 0 is not an encoded image, as bytes, but str"):
        client.embed(model, ["a red tent"])
    with pytest.raises(InputError, match="IMAGE 0: not a readable image"):
        client.embed(model, [Path(__file__).read_bytes()])


def test_check_model_measures_images_too(small: SmallModels, client: TritonClient) -> None:
    spec = ModelSpec(
        name=small.serve("clip_image"), source="./clip", dimension=24, kind="clip_image", languages=("en",)
    )

    check = check_model(client, spec, rounds=2)

    assert (check.ready, check.dimension, check.similarities) == (True, 24, ())
    assert check.texts_per_second > 0
    assert ("throughput", f"{check.texts_per_second:,.0f} images/s") in rows_of(check)
