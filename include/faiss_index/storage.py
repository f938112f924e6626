"""Files of a version: written once, hashed on the way, synced; failures of the disk in this project's words."""

from __future__ import annotations

import errno
import hashlib
import os
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import BinaryIO, Self

from include.errors import AccessDenied, ContractError, EmbsearchError, ServiceUnavailable, SetupError

BUFFER = 1 << 20
READ_ONLY = 0o444  # a hard link of a finished file must not be written through
_FULL = {errno.ENOSPC, errno.EDQUOT, errno.EFBIG}
_IN_THE_WAY = {errno.ENOTDIR, errno.EEXIST, errno.EISDIR}
_DENIED = {errno.EACCES, errno.EPERM, errno.EROFS}


@dataclass(frozen=True)
class FileDigest:
    """What a file must be."""

    bytes: int
    sha256: str

    @classmethod
    def of(cls, path: Path) -> Self:
        """Read the whole file."""
        with path.open("rb", buffering=0) as file:
            digest = hashlib.file_digest(file, "sha256")
            return cls(file.tell(), digest.hexdigest())


@dataclass
class HashedFile:
    """A file that is written from start to end and knows its digest without being read again."""

    path: Path
    file: BinaryIO
    _sha256: hashlib._Hash = field(default_factory=hashlib.sha256)
    _bytes: int = 0

    def write(self, data: bytes | memoryview) -> None:
        """Append ``data``."""
        self.file.write(data)
        self._sha256.update(data)
        self._bytes += len(data)

    @property
    def digest(self) -> FileDigest:
        """Of all that was written so far."""
        return FileDigest(self._bytes, self._sha256.hexdigest())


@contextmanager
def hashed_file(path: Path) -> Iterator[HashedFile]:
    """A new file at ``path``; it is not synced yet: see :func:`seal`.

    Raises:
        SetupError: no space is left.
        AccessDenied: no right to write there.
    """
    with storage_faults(path), path.open("wb", buffering=BUFFER) as file:
        yield HashedFile(path, file)


def seal(path: Path) -> None:
    """Bring a finished file to disk and let nobody write it again."""
    with storage_faults(path):
        descriptor = os.open(path, os.O_RDONLY)
        try:
            os.fsync(descriptor)
        finally:
            os.close(descriptor)
        path.chmod(READ_ONLY)


@contextmanager
def storage_faults(path: Path) -> Iterator[None]:
    """Raise this project's error, naming ``path``, for what the file system refuses."""
    try:
        yield
    except OSError as error:
        raise _fault(path, error) from error


def _fault(path: Path, error: OSError) -> EmbsearchError:
    said = f"{path}: {error.strerror or error}."
    if error.errno in _FULL:
        return SetupError(f"{said} Free some space there, then run this again; what is served stays served.")
    if error.errno in _DENIED:
        return AccessDenied(f"{said} Give this user the right to read and write there.")
    if error.errno in _IN_THE_WAY:
        return SetupError(f"{said} Something else stands there: move it away, or set another folder.")
    if error.errno in {errno.ENOENT, errno.EIO}:
        return ContractError(f"{said} The version is damaged: run faiss_rebuild, or roll back.")
    return ServiceUnavailable(f"{said} Run this again later.")
