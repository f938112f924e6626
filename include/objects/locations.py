"""Where an object lies: a local file or a key in an S3 bucket, and which of them may be touched.

Whoever asks for an image names it freely, so a name is taken apart by rules that leave no room: two schemes, no login,
no host of the caller's choosing (the S3 endpoint is a setting), no ``..``, and only below what the settings allow.
"""

from __future__ import annotations

import os
import re
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Literal, Self
from urllib.parse import quote, unquote

from include.errors import InputError
from include.settings import PROJECT_ROOT

if TYPE_CHECKING:
    from include.settings import Settings

LONGEST = 2048  # characters of an address
_BUCKET = re.compile(r"[a-z0-9][a-z0-9.-]{1,61}[a-z0-9]")


class NotAllowed(InputError):
    """The address is outside of what the settings allow."""


@dataclass(frozen=True)
class Location:
    """A local file (``key`` is its absolute path, ``bucket`` is empty) or an object in a bucket."""

    scheme: Literal["file", "s3"]
    bucket: str
    key: str

    @property
    def url(self) -> str:
        """``file:///…`` with what is special quoted, or ``s3://bucket/key`` as it is."""
        return f"file://{quote(self.key)}" if self.scheme == "file" else f"s3://{self.bucket}/{self.key}"

    @property
    def path(self) -> Path:
        """Of a local file."""
        return Path(self.key)

    @classmethod
    def of(cls, address: str) -> Self:
        """Take an absolute path, a ``file://`` or an ``s3://`` URL apart.

        Raises:
            InputError: it is none of these.
        """
        if not address or len(address) > LONGEST or not address.isprintable():
            msg = f"An address of an image has 1 to {LONGEST} printable characters; this one has {len(address)}."
            raise InputError(msg)
        if address.startswith("/"):
            return cls._file(address, address)
        scheme, marker, rest = address.partition("://")
        if marker and scheme == "s3":
            return cls._object(address, rest)
        if marker and scheme == "file" and rest.startswith("/"):
            return cls._file(unquote(rest), address)
        msg = (
            f"{address!r} is not the address of an image. Give an absolute path, file:///<path> or s3://<bucket>/<key>."
        )
        raise InputError(msg)

    @classmethod
    def _file(cls, path: str, address: str) -> Self:
        if "\0" in path or not path.isprintable() or ".." in path.split("/"):
            msg = f"{address!r}: a path holds no '..' and no control characters."
            raise InputError(msg)
        return cls("file", "", os.path.normpath(path))

    @classmethod
    def _object(cls, address: str, rest: str) -> Self:
        bucket, _, key = rest.partition("/")
        if not _BUCKET.fullmatch(bucket):
            msg = f"{address!r}: {bucket!r} is not the name of a bucket."
            raise InputError(msg)
        if not key or {"", ".", ".."} & set(key.split("/")):
            msg = f"{address!r}: a key is not empty and has no empty part, '.' or '..'."
            raise InputError(msg)
        return cls("s3", bucket, key)


@dataclass(frozen=True)
class Allowed:
    """What may be read and written: local folders, and prefixes of buckets."""

    folders: tuple[Path, ...]
    prefixes: tuple[str, ...]  # "bucket/" or "bucket/some/folder/"

    @classmethod
    def from_settings(cls, settings: Settings) -> Self:
        """``images_roots`` and ``images_stores``.

        Raises:
            InputError: a store is neither ``file://`` nor ``s3://``.
        """
        stores = cls._of_stores(settings.images_stores, "EMBSEARCH_IMAGES_STORES")
        return cls((*stores.folders, *cls.below(settings.images_roots).folders), stores.prefixes)

    @classmethod
    def below(cls, roots: str) -> Self:
        """Local folders by commas; a relative one starts at the project's root."""
        return cls(tuple(PROJECT_ROOT / root for root in _listed(roots)), ())

    @classmethod
    def temporary(cls, settings: Settings) -> Self:
        """``images_temporary_stores``: where images lie that may be deleted.

        Raises:
            InputError: a store is neither ``file://`` nor ``s3://``.
        """
        return cls._of_stores(settings.images_temporary_stores, "EMBSEARCH_IMAGES_TEMPORARY_STORES")

    @classmethod
    def _of_stores(cls, listed: str, setting: str) -> Self:
        stores = _listed(listed)
        folders = [Path(unquote(store.removeprefix("file://"))) for store in stores if store.startswith("file:///")]
        prefixes = [store.removeprefix("s3://").rstrip("/") + "/" for store in stores if store.startswith("s3://")]
        if len(folders) + len(prefixes) != len(stores) or "/" in prefixes:
            msg = f"{setting}={listed}: give s3://<bucket>/<prefix> or file:///<folder>, several by commas."
            raise InputError(msg)
        return cls(tuple(folders), tuple(prefixes))

    def check(self, location: Location) -> None:
        """Refuse what is outside, in the same words whether it exists or not.

        Raises:
            NotAllowed: it is outside of every allowed folder and prefix.
        """
        if self.covers(location):
            return
        if location.scheme == "s3":
            msg = f"{location.url} is outside of the allowed stores (EMBSEARCH_IMAGES_STORES)."
        else:
            msg = f"{location.key} is outside of the allowed folders (EMBSEARCH_IMAGES_ROOTS)."
        raise NotAllowed(msg)

    def covers(self, location: Location) -> bool:
        """Whether ``location`` is below one of the folders, its links followed, or prefixes."""
        if location.scheme == "s3":
            return f"{location.bucket}/{location.key}".startswith(self.prefixes or ("\0",))
        return self.holds(location.path.resolve())

    def holds(self, real: Path) -> bool:
        """Whether ``real``, a path without links, is below an allowed folder."""
        return any(real.is_relative_to(folder) for folder in self._real_folders())

    def _real_folders(self) -> Iterable[Path]:
        return (folder.resolve() for folder in self.folders)


def _listed(text: str) -> list[str]:
    return [part.strip() for part in text.split(",") if part.strip()]
