"""Rows of an input file, read in a stream, each either a text to work on or a reason why not."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

from include.errors import InputError

MAX_TEXT_BYTES = 100_000  # in UTF-8; no product name or keyword is longer, and memory stays bounded
KEPT_BYTES = 200  # of a row that cannot be used
_BOM = b"\xef\xbb\xbf"
_OTHER_ENCODINGS = {b"\xff\xfe": "UTF-16LE", b"\xfe\xff": "UTF-16BE"}


@dataclass(frozen=True)
class Row:
    """One text with its place in the input."""

    number: int  # 0-based line or row of the file, or the value of the id column
    text: str


@dataclass(frozen=True)
class Unusable:
    """A row that cannot be worked on: blank or broken."""

    number: int
    reason: str
    raw: str = ""  # the beginning of what was there, made printable

    @property
    def blank(self) -> bool:
        """Nothing was there, so nothing is lost."""
        return self.reason == "blank"


def as_row(number: int, raw: bytes) -> Row | Unusable:
    """Decode one text; white space around it is not part of it."""
    if len(raw) > MAX_TEXT_BYTES:
        return Unusable(number, "too_long", raw[:KEPT_BYTES].decode("utf-8", "backslashreplace"))
    try:
        text = raw.decode("utf-8").strip()
    except UnicodeDecodeError:
        return Unusable(number, "not_utf8", raw[:KEPT_BYTES].decode("utf-8", "backslashreplace"))
    return Row(number, text) if text else Unusable(number, "blank")


def read_text(path: Path) -> Iterator[Row | Unusable]:
    """One text a line; LF or CRLF, with or without a byte-order mark.

    Raises:
        InputError: the file is in another encoding, which its byte-order mark tells.
    """
    with path.open("rb") as file:
        first = file.read(3)
        if encoding := _OTHER_ENCODINGS.get(first[:2]):
            msg = f"{path} is {encoding}, not UTF-8. Convert it: iconv -f {encoding} -t UTF-8."
            raise InputError(msg)
        if first != _BOM:
            file.seek(0)
        for number, line in enumerate(_lines(file)):
            yield as_row(number, line.removesuffix(b"\n").removesuffix(b"\r"))


def _lines(file: BinaryIO) -> Iterator[bytes]:
    """Lines with a bound on memory: of an over-long one only the beginning is kept."""
    limit = MAX_TEXT_BYTES + 2
    while line := file.readline(limit):
        yield line
        while len(line) == limit and not line.endswith(b"\n"):
            line = file.readline(limit)
