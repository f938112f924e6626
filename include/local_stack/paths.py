"""Short, plain paths for programs that cannot do with the project's own path."""

from __future__ import annotations

import hashlib
import os
import re
import stat
import tempfile
from pathlib import Path

from include.errors import SetupError

_PLAIN = re.compile(r"[\w/.,:+=@-]+", re.ASCII)


def private_folder(folder: Path) -> Path:
    """A folder of this user alone below the temporary one; always the same for the same ``folder``.

    Raises:
        SetupError: somebody else owns it.
    """
    digest = hashlib.sha256(os.fsencode(folder)).hexdigest()[:12]
    private = Path(tempfile.gettempdir()) / f"embsearch-{os.geteuid()}-{digest}"
    private.mkdir(mode=0o700, exist_ok=True)
    found = private.lstat()
    if not stat.S_ISDIR(found.st_mode) or found.st_uid != os.geteuid() or stat.S_IMODE(found.st_mode) != 0o700:
        msg = f"{private} belongs to somebody else or is open to others. Remove it, or set TMPDIR to a folder of yours."
        raise SetupError(msg)
    return private


def plain(folder: Path) -> Path:
    """``folder``, or a symbolic link to it when a shell would not take its path for one word.

    Raises:
        SetupError: somebody else owns the folder of the link.
    """
    if _PLAIN.fullmatch(str(folder)):
        return folder
    link = private_folder(folder) / "folder"
    if not link.is_symlink() or link.readlink() != folder:
        link.unlink(missing_ok=True)
        link.symlink_to(folder)
    return link
