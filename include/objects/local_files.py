"""Local images: opened without a way out of the allowed folders, written whole or not at all, a power cut included."""

from __future__ import annotations

import errno
import os
import stat
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import BinaryIO

from include.errors import AccessDenied, EmbsearchError, InputError, ServiceUnavailable, SetupError
from include.generations.files import sync_folder
from include.objects.faults import ObjectMissing
from include.objects.locations import Allowed, Location, NotAllowed

_NO_ROOM = {errno.ENOSPC, errno.EDQUOT, errno.EFBIG}
_DENIED = {errno.EACCES, errno.EPERM, errno.EROFS}
_NOT_THERE = {errno.ENOENT, errno.ENOTDIR, errno.ELOOP, errno.ENAMETOOLONG}
# A pipe must not make us wait, nor a terminal become ours.
_OPEN = os.O_RDONLY | os.O_CLOEXEC | os.O_NONBLOCK | os.O_NOCTTY


@contextmanager
def opened(location: Location, allowed: Allowed) -> Iterator[BinaryIO]:
    """The file at ``location``; what was opened is looked at again, so that no link that changes meanwhile leads out.

    Raises:
        NotAllowed: it lies outside of the allowed folders.
        ObjectMissing: it is not there.
        AccessDenied: this user may not read it.
        InputError: it is not a regular file.
    """
    allowed.check(location)
    with local_faults(location):
        descriptor = os.open(location.key, _OPEN)
    try:
        if not allowed.holds(Path(f"/proc/self/fd/{descriptor}").readlink()):
            msg = f"{location.key} is outside of the allowed folders (EMBSEARCH_IMAGES_ROOTS)."
            raise NotAllowed(msg)
        if not stat.S_ISREG(os.fstat(descriptor).st_mode):
            msg = f"{location.key} is not a regular file."
            raise InputError(msg)
        with os.fdopen(descriptor, "rb", closefd=False) as file:
            yield file
    finally:
        os.close(descriptor)


def stat_of(file: BinaryIO) -> os.stat_result:
    """Size and times of an open file."""
    return os.fstat(file.fileno())


def write(location: Location, data: BinaryIO, allowed: Allowed) -> None:
    """Put all of ``data`` at ``location``, by rename; when this returns it is on disk. Several may write the same file.

    Raises:
        NotAllowed: it lies outside of the allowed folders.
        AccessDenied: this user may not write there.
        SetupError: no space is left.
    """
    allowed.check(location)
    temporary = location.path.with_name(f".{location.path.name[:200]}.{os.getpid()}.{os.urandom(4).hex()}.tmp")
    with local_faults(location):
        location.path.parent.mkdir(parents=True, exist_ok=True)
        try:
            with temporary.open("xb") as file:
                while part := data.read(1 << 20):
                    file.write(part)
                file.flush()
                os.fsync(file.fileno())  # else the name may be on disk before the bytes are
            temporary.replace(location.path)
            sync_folder(location.path.parent)
        finally:
            with suppress(FileNotFoundError):
                temporary.unlink()


def delete(location: Location, allowed: Allowed) -> bool:
    """Take the file away; whether there was one.

    Raises:
        NotAllowed: it lies outside of the allowed folders.
        AccessDenied: this user may not.
    """
    allowed.check(location)
    with local_faults(location):
        try:
            location.path.unlink()
        except FileNotFoundError:
            return False
    return True


@contextmanager
def local_faults(location: Location) -> Iterator[None]:
    """Raise this project's error, naming the file, for what the file system refuses."""
    try:
        yield
    except OSError as error:
        raise _fault(location.key, error) from error


def _fault(path: str, error: OSError) -> EmbsearchError:
    if error.errno in _NOT_THERE:
        return ObjectMissing(f"{path} is not there.")
    if error.errno in _DENIED:
        return AccessDenied(f"{path}: {error.strerror}. Give this user the right.")
    if error.errno in _NO_ROOM:
        return SetupError(f"{path}: {error.strerror}. Free some space.")
    if error.errno in {errno.EISDIR, errno.ENXIO, errno.ENODEV}:
        return InputError(f"{path} is not a regular file.")
    return ServiceUnavailable(f"{path}: {error.strerror or error}. Try again later.")
