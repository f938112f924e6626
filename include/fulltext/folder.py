"""What stands below a folder of documents: files to read, and all else with the reason why it is not read."""

from __future__ import annotations

import os
import stat
from collections.abc import Iterator
from pathlib import Path

from include.fulltext.documents import HIDDEN, NOT_READABLE, OTHER_ENDING, OUTSIDE, SetAside
from include.fulltext.files import FILE_KINDS


def files_below(root: Path) -> Iterator[Path | SetAside]:
    """The files below ``root`` whose ending says a kind of document, in the order of their paths; all else set aside.

    Links are followed to files of the same folder, not out of it, and not to folders.
    """
    home = root.resolve()
    pending = [root]
    while pending:
        path = pending.pop()
        name = path.relative_to(root).as_posix()
        try:
            if path != root and (problem := _problem_of(path, name, home)):
                yield problem
            elif path.is_dir():
                pending += sorted((Path(entry) for entry in os.scandir(path)), reverse=True)
            else:
                yield path
        except OSError as error:
            yield SetAside(name, NOT_READABLE, f"{_told(path)}: {error.strerror}", identified=False)


def _problem_of(path: Path, name: str, home: Path) -> SetAside | None:
    """Why nothing is read there, if so.

    Raises:
        OSError: the system does not say what it is.
    """
    if path.name.startswith("."):
        return SetAside(name, HIDDEN, f"{path}: its name begins with a dot")
    mode, linked = path.stat().st_mode, path.is_symlink()
    known = path.suffix.lower() in FILE_KINDS
    if linked and (known or stat.S_ISDIR(mode)) and not path.resolve().is_relative_to(home):
        detail = f"{path} is a link to {path.resolve()}, which is outside of {home}"
        return SetAside(name, OUTSIDE, detail, identified=stat.S_ISDIR(mode))
    if stat.S_ISDIR(mode):
        return SetAside(name, "folder_link", f"{path} is a link to a folder: give that one") if linked else None
    if not known:
        return SetAside(name, OTHER_ENDING, f"{path}: its name does not end in {', '.join(FILE_KINDS)}")
    return None if stat.S_ISREG(mode) else SetAside(name, "not_a_file", f"{path} is no regular file")


def _told(path: Path) -> str:
    try:
        return f"{path} (a link to {path.readlink()})"
    except OSError:  # it is none, or the system does not say
        return str(path)
