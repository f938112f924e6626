"""Files and objects by URL: one way to read, write and delete them, be they local or in a bucket of an S3 store.

Reads are bounded in bytes and in seconds. Nothing outside of the settings' folders and stores is ever touched, and an
answer of the store that sends elsewhere is not followed.
"""

from __future__ import annotations

import io
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, BinaryIO, Self

from include.errors import AccessDenied
from include.objects import local_files
from include.objects.faults import BucketMissing, ObjectMissing, TooLarge, bounded
from include.objects.locations import Allowed, Location
from include.objects.s3 import PIECE, S3Access, S3Objects

if TYPE_CHECKING:
    from include.settings import Settings

__all__ = ["BucketMissing", "ObjectMissing", "ObjectStat", "ObjectStore", "TooLarge"]

MOST_BYTES = 50 << 20  # of one image, unless the caller says less
LINK_SECONDS = 24 * 3600


@dataclass(frozen=True)
class ObjectStat:
    """What tells one content from another without reading it."""

    size: int  # bytes
    stamp: str  # of a file its time of change, of an object its ETag, or where a store has none that time


@dataclass(frozen=True)
class ObjectStore:
    """Reads, writes and deletes what is allowed; safe from several threads.

    Every method takes an absolute path, a ``file://`` or an ``s3://`` URL, and raises:
        InputError: the address cannot be understood; :class:`NotAllowed`: it is outside of what is allowed;
            :class:`ObjectMissing`, :class:`BucketMissing`: there is nothing.
        AccessDenied: the store refuses the key, or the system this user.
        ServiceUnavailable: the store does not answer, is too slow, or the connection broke.
    """

    allowed: Allowed
    s3: S3Objects

    @classmethod
    def from_settings(cls, settings: Settings) -> Self:
        """What the settings allow.

        Raises:
            InputError: they cannot be understood.
        """
        return cls(Allowed.from_settings(settings), S3Objects(S3Access.from_settings(settings)))

    def read(self, address: str, *, most_bytes: int = MOST_BYTES) -> bytes:
        """All bytes of an object.

        Raises:
            TooLarge: it has more than ``most_bytes``.
        """
        buffer = io.BytesIO()
        self._copy(self._located(address), buffer, most_bytes)
        return buffer.getvalue()

    @contextmanager
    def download(self, address: str, *, most_bytes: int = MOST_BYTES) -> Iterator[BinaryIO]:
        """A temporary file with the object. It has no name, so the system removes it however this process ends.

        What comes slowly waits on disk, not in memory; else as :meth:`read`.
        """
        location = self._located(address)
        with tempfile.TemporaryFile(prefix="image-") as file:
            self._copy(location, file, most_bytes)
            file.seek(0)
            yield file

    def stat(self, address: str) -> ObjectStat:
        """Size and stamp."""
        location = self._located(address)
        if location.scheme == "file":
            with local_files.opened(location, self.allowed) as file:
                found = local_files.stat_of(file)
                return ObjectStat(found.st_size, str(found.st_mtime_ns))
        head = self.s3.head(location)
        stamp = head.get("ETag") or head.get("LastModified") or ""
        return ObjectStat(int(head["ContentLength"]), str(stamp).strip('"'))

    def write(self, address: str, data: bytes | Path, *, content_type: str = "application/octet-stream") -> str:
        """Store ``data``, or the file that it names, in parts when it is large; return the object's URL."""
        location = self._located(address)
        if location.scheme == "s3":
            self.s3.put(location, data, content_type)
        else:
            with data.open("rb") if isinstance(data, Path) else io.BytesIO(data) as source:
                local_files.write(location, source, self.allowed)
        return location.url

    def delete(self, address: str) -> bool:
        """Take one object away; whether there was one. A bucket that is missing is an error.

        A store says that there is none only to who may list the bucket; to others the answer is always that there was.
        """
        location = self._located(address)
        if location.scheme == "file":
            return local_files.delete(location, self.allowed)
        try:
            self.s3.head(location)
        except ObjectMissing:
            return False
        except AccessDenied:  # as S3 answers who may not list, when there is no such key; the deletion will tell
            pass
        self.s3.delete(location)
        return True

    def link(self, address: str, *, seconds: int = LINK_SECONDS) -> str:
        """A URL that a reader can open without a key of its own for a while; of a local file its ``file://`` URL."""
        location = self._located(address)
        return location.url if location.scheme == "file" else self.s3.link(location, seconds)

    def _located(self, address: str) -> Location:
        location = Location.of(address)
        self.allowed.check(location)
        return location

    def _copy(self, location: Location, target: BinaryIO, most_bytes: int) -> None:
        if location.scheme == "s3":
            self.s3.copy(location, target, most_bytes)
            return
        with local_files.opened(location, self.allowed) as file, local_files.local_faults(location):
            copied = 0
            while part := file.read(PIECE):
                copied += len(part)
                bounded(location.url, copied, most_bytes)
                target.write(part)
