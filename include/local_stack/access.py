"""Folders for a server that, started by root, runs as an unprivileged user: who may enter them, who owns them."""

from __future__ import annotations

import hashlib
import os
import shutil
import stat
from contextlib import suppress
from pathlib import Path

from include.errors import SetupError

UNPRIVILEGED_UID = 62_300  # no entry in the password file is needed; in a range that no distribution gives to people
OUTSIDE = Path("/var/lib/embsearch")


def unprivileged_uid() -> int | None:
    """The user that a server runs as: another one only when this process is root's."""
    return UNPRIVILEGED_UID if os.geteuid() == 0 else None


def reachable(folder: Path) -> Path:
    """``folder`` when the server's user can enter it, else one below ``/var/lib/embsearch`` that stands for it.

    Only root meets the second case, for example with a clone below ``/root``, which is closed to all others. The
    folder's name there is a hash of ``folder``, so the same project finds its data again.

    Raises:
        SetupError: somebody else owns the folder below ``/var/lib``.
    """
    if unprivileged_uid() is None or all(_open_to_all(parent) for parent in folder.absolute().parents):
        return folder
    OUTSIDE.mkdir(mode=0o755, parents=True, exist_ok=True)
    if OUTSIDE.stat().st_uid != 0:
        msg = f"{OUTSIDE} belongs to another user. Remove it, or move the project to where all users may enter."
        raise SetupError(msg)
    OUTSIDE.chmod(0o755)
    return outside(folder)


def outside(folder: Path) -> Path:
    """What stands below ``/var/lib/embsearch`` for ``folder``, where its user cannot enter that."""
    return OUTSIDE / hashlib.sha256(os.fsencode(folder.absolute())).hexdigest()[:16]


def remove_outside(folder: Path) -> Path | None:
    """Remove what stands below ``/var/lib/embsearch`` for ``folder``; return where it was, if it was there."""
    found = outside(folder)
    if unprivileged_uid() is None or not found.is_dir():
        return None
    shutil.rmtree(found)
    with suppress(OSError):  # not empty: other projects have theirs there
        OUTSIDE.rmdir()
    return found


def _open_to_all(folder: Path) -> bool:
    try:
        return bool(folder.stat().st_mode & stat.S_IXOTH)
    except FileNotFoundError:
        return True  # made by us, open


def let_all_read(folder: Path) -> None:
    """Make everything below ``folder`` readable by all, whatever the umask was."""
    for path in (folder, *folder.rglob("*")):
        if not path.is_symlink():
            mode = path.stat().st_mode
            path.chmod(mode | (0o555 if path.is_dir() or mode & stat.S_IXUSR else 0o444))


def give_to_server(folder: Path) -> None:
    """Make the server's user the owner of ``folder`` and all below it; nothing to do unless this process is root's."""
    uid = unprivileged_uid()
    if uid is None:
        return
    for path in (folder, *folder.rglob("*")):
        if path.lstat().st_uid != uid:
            os.chown(path, uid, uid, follow_symlinks=False)
