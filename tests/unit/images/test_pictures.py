"""Only whole pictures of known formats pass, and nothing large is decoded."""

from __future__ import annotations

import io
import struct
import zlib
from pathlib import Path
from typing import Any

import pytest
from PIL import Image

from include.errors import InputError
from include.images.pictures import NotAPicture, PictureLimits, PictureTooLarge, decode, read_picture

LIMITS = PictureLimits(most_bytes=100_000, most_pixels=1_000_000)


def encoded(kind: str, size: tuple[int, int] = (40, 30), mode: str = "RGB", **more: Any) -> bytes:
    buffer = io.BytesIO()
    Image.effect_noise(size, 80).convert(mode).save(buffer, kind, **more)
    return buffer.getvalue()


def broken_exif() -> bytes:
    """A quarter turn, and a width (tag 0x0100) that is a text."""
    exif = Image.Exif()
    exif[0x0112], exif[0x010E] = 6, "text"
    return exif.tobytes().replace(b"\x01\x0e\x00\x02", b"\x01\x00\x00\x02")


def bomb(width: int, height: int) -> bytes:
    """A PNG of some bytes that announces a size."""

    def chunk(kind: bytes, data: bytes) -> bytes:
        return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))

    header = struct.pack(">IIBBBBB", width, height, 8, 0, 0, 0, 0)
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + chunk(b"IDAT", zlib.compress(b"\0")) + chunk(b"IEND", b"")


@pytest.mark.parametrize("kind", ["JPEG", "PNG", "WEBP", "BMP"])
def test_a_picture_becomes_rgb(kind: str) -> None:
    found = decode(encoded(kind), LIMITS)
    assert (found.mode, found.size) == ("RGB", (40, 30))


@pytest.mark.parametrize(
    ("kind", "mode"), [("PNG", "RGBA"), ("PNG", "L"), ("PNG", "P"), ("PNG", "1"), ("JPEG", "CMYK")]
)
def test_other_colours_become_rgb(kind: str, mode: str) -> None:
    assert decode(encoded(kind, mode=mode), LIMITS).mode == "RGB"


def test_a_picture_is_turned_as_its_exif_entry_says() -> None:
    exif = Image.Exif()
    exif[0x0112] = 6  # a quarter turn
    assert decode(encoded("JPEG", exif=exif), LIMITS).size == (30, 40)


def test_a_picture_with_a_broken_exif_entry_is_taken_as_it_lies() -> None:
    assert decode(encoded("JPEG", exif=broken_exif()), LIMITS).size == (40, 30)


@pytest.mark.parametrize("kind", ["GIF", "TIFF", "PPM", "PDF", "EPS", "ICO", "JPEG2000"])
def test_other_formats_are_refused(kind: str) -> None:
    with pytest.raises(NotAPicture, match="Not a readable JPEG, PNG, WEBP or BMP picture"):
        decode(encoded(kind), LIMITS)


@pytest.mark.parametrize(
    "data",
    [
        b"", b"no picture", b"<svg xmlns='http://www.w3.org/2000/svg'/>", b"\x89PNG\r\n\x1a\n", b"BM" + b"\0" * 60,
        b"RIFF\x10\0\0\0WEBPVP8 ", b"%PDF-1.7",
    ],
    ids=range(7),
)  # fmt: skip
def test_what_is_no_picture_is_refused(data: bytes) -> None:
    with pytest.raises(NotAPicture):
        decode(data, LIMITS)


@pytest.mark.parametrize("kind", ["JPEG", "PNG", "WEBP", "BMP"])
def test_a_picture_that_is_cut_off_is_refused(kind: str) -> None:
    whole = encoded(kind)
    with pytest.raises(NotAPicture):
        decode(whole[: len(whole) // 2], LIMITS)


def test_too_many_bytes_are_refused_before_they_are_looked_at() -> None:
    with pytest.raises(PictureTooLarge, match="100,001 bytes"):
        decode(b"\0" * 100_001, LIMITS)


@pytest.mark.parametrize("size", [(1001, 1000), (50_000, 50_000), (1, 16_385), (2**31 - 1, 2**31 - 1)])
def test_a_bomb_is_refused_by_its_header(size: tuple[int, int], monkeypatch: pytest.MonkeyPatch) -> None:
    from PIL.PngImagePlugin import PngImageFile

    monkeypatch.setattr(PngImageFile, "load", lambda _: pytest.fail("it was decoded"))
    with pytest.raises(PictureTooLarge, match="pixels"):
        decode(bomb(*size), LIMITS)


def test_a_text_that_unpacks_to_gigabytes_is_refused() -> None:
    def chunk(kind: bytes, data: bytes) -> bytes:
        return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))

    head, rest = encoded("PNG")[:33], encoded("PNG")[33:]
    text = chunk(b"zTXt", b"comment\0\0" + zlib.compress(b"a" * 20_000_000))
    with pytest.raises(NotAPicture):
        decode(head + text + rest, LIMITS)


def test_what_is_said_of_a_broken_picture_shows_nothing_of_the_inside() -> None:
    with pytest.raises(NotAPicture) as error:
        decode(b"no picture", LIMITS)
    assert "0x" not in str(error.value)
    assert "/" not in str(error.value)


def test_a_file_is_read_as_it_is_when_it_can_be_decoded(tmp_path: Path) -> None:
    path = tmp_path / "query.jpg"
    path.write_bytes(encoded("JPEG"))
    assert read_picture(path, LIMITS) == path.read_bytes()


@pytest.mark.parametrize(
    ("data", "kind", "said"),
    [
        (encoded("GIF"), NotAPicture, "Not a readable JPEG, PNG, WEBP or BMP picture"),
        (b"root:x:0:0", NotAPicture, "Not a readable JPEG, PNG, WEBP or BMP picture"),
        (bomb(30_000, 30_000), PictureTooLarge, "more than 1,000,000 pixels"),
    ],
    ids=["GIF", "text", "bomb"],
)
def test_a_file_that_the_api_would_refuse_is_refused_in_its_words(
    tmp_path: Path, data: bytes, kind: type[Exception], said: str
) -> None:
    path = tmp_path / "query"
    path.write_bytes(data)
    with pytest.raises(kind) as raised:
        read_picture(path, LIMITS)
    with pytest.raises(kind) as by_api:
        decode(data, LIMITS)
    assert said in str(by_api.value)
    assert str(raised.value) == f"{path}: {by_api.value}"


def test_no_more_of_a_file_is_read_than_is_taken(tmp_path: Path) -> None:
    large = tmp_path / "large"
    with large.open("wb") as file:
        file.truncate(1 << 40)
    with pytest.raises(PictureTooLarge, match="has 1,099,511,627,776 bytes; at most 100,000 are taken"):
        read_picture(large, LIMITS)
    with pytest.raises(InputError, match="/dev/zero is no file"):
        read_picture(Path("/dev/zero"), LIMITS)
