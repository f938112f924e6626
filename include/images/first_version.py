"""V1: images known by the names of their files alone, ``<product>_<defect>_<anything>.jpg`` in one folder."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

from include.errors import InputError
from include.images.parameters import DEFECT, NORMAL
from include.images.row import NO_DEFECT, ImageRow
from include.objects.locations import Allowed, Location
from include.objects.store import ObjectStore
from include.settings import Settings

_NAME = re.compile(r"(?P<product>[^_]+)_(?P<defect>[^_]+)(_.*)?\.jpe?g", re.IGNORECASE)


def file_rows(folder: Path, image_type: str, *, page_rows: int) -> Iterator[list[ImageRow]]:
    """The images of a type, by ascending id. The id is made of the name, so that it stays when other files come.

    Files of other names are passed over.

    Raises:
        InputError: the folder is not there.
    """
    if not folder.is_dir():
        msg = f"EMBSEARCH_IMAGES_V1_DIR={folder} is no folder. Put <product>_<defect>_….jpg there, or set another."
        raise InputError(msg)
    rows = sorted(_rows(folder, image_type), key=lambda row: row.image_id)
    for start in range(0, len(rows), page_rows):
        yield rows[start : start + page_rows]


def _rows(folder: Path, image_type: str) -> Iterator[ImageRow]:
    for path in folder.iterdir():
        found = _NAME.fullmatch(path.name)
        if found is None:
            continue
        product, defect = found["product"], found["defect"]
        kind = NORMAL if defect.lower() == NO_DEFECT[0] else DEFECT
        if kind == image_type:
            code, name = NO_DEFECT if kind == NORMAL else (defect, defect)
            yield ImageRow(id_of(path.name), str(path), None, product, product, code, name, kind)


def is_file_of_v1(address: str, settings: Settings) -> bool:
    """Whether V1 takes the file at ``address`` for one of its images."""
    place = Location.of(address)
    if place.scheme != "file" or _NAME.fullmatch(place.path.name) is None:
        return False
    return place.path.parent.resolve() == settings.images_v1_dir.resolve()


def id_of(name: str) -> int:
    """A positive 63-bit number for a file's name."""
    return int.from_bytes(hashlib.sha256(name.encode("utf-8", "surrogateescape")).digest()[:8], "big") >> 1


def store_of_files(settings: Settings) -> ObjectStore:
    """Reads the files of that folder, and nothing else."""
    return replace(ObjectStore.from_settings(settings), allowed=Allowed((settings.images_v1_dir,), ()))
