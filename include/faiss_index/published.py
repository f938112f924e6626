"""The files that readers outside of this project open: ``<file>.index``, a dated one for each version, and backups.

They are hard links to a version's index where the file system has them, copies elsewhere, and always appear by
rename, so that neither a reader nor a version ever sees a file change. What is linked is read-only.
"""

from __future__ import annotations

import os
import re
import shutil
from collections.abc import Collection
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, date, datetime
from pathlib import Path

from include.errors import InputError
from include.faiss_index.storage import READ_ONLY, FileDigest, seal, storage_faults
from include.generations.files import sync_folder

BACKUP = "backup"
_NAME = re.compile(r"[A-Za-z0-9_-]{1,100}")
_DATED = re.compile(r".*_(\d{8})\.index")


@dataclass(frozen=True)
class PublishedFiles:
    """``<folder>/<name>.index``, ``<folder>/<name>_YYYYMMDD.index`` and ``<folder>/backup/<name>_YYYYMMDD.index``."""

    folder: Path
    name: str

    def __post_init__(self) -> None:
        if not _NAME.fullmatch(self.name):
            msg = f"{self.name!r} cannot name a published index: use letters, digits, '-' and '_'."
            raise InputError(msg)

    @property
    def served(self) -> Path:
        """What readers open."""
        return self.folder / f"{self.name}.index"

    def dated(self, day: date) -> Path:
        """The version made for ``day``; the last one when there were several."""
        return self.folder / f"{self.name}_{day:%Y%m%d}.index"

    def backup(self, day: date) -> Path:
        """What was served before the present one, and was made for ``day``."""
        return self.folder / BACKUP / f"{self.name}_{day:%Y%m%d}.index"

    def prepare(self, index: Path, day: date) -> None:
        """Put the dated file there; nothing that is served changes.

        Raises:
            SetupError: no space is left.
            AccessDenied: no right to write there.
        """
        _put(index, self.dated(day))

    def serve(self, index: Path, *, previous_day: date | None, backup: bool = True) -> None:
        """Let readers find ``index``; what they found before is kept as a backup under ``previous_day``.

        Without that day it is that on which the file was written.
        """
        if self.serves(index):
            return
        if backup and self.served.exists():
            _put(self.served, self.backup(previous_day or _day_of(self.served)))
        _put(index, self.served)

    def serves(self, index: Path) -> bool:
        """Whether readers find ``index``."""
        return _same(index, self.served)

    def withdraw(self, index: Path, day: date | None = None) -> None:
        """Take away the dated file of a version that was never served; without a day also all others, and backups."""
        every = (*self._dated(self.folder), *self._dated(self.folder / BACKUP))
        for path in every if day is None else [self.dated(day)]:
            if _same(index, path):
                with storage_faults(path):
                    path.unlink(missing_ok=True)

    def prune(self, keep: int, spared: Collection[Path] = ()) -> None:
        """Leave the newest ``keep`` dated files and as many backups, and those ``spared``."""
        for folder in (self.folder, self.folder / BACKUP):
            for path in self._dated(folder)[:-keep]:
                if path not in spared:
                    with storage_faults(path):
                        path.unlink(missing_ok=True)

    def _dated(self, folder: Path) -> list[Path]:
        """Those of this index, by day."""
        return sorted(path for path in folder.glob(f"{self.name}_*.index") if self._is_mine(path))

    def _is_mine(self, path: Path) -> bool:
        found = _DATED.fullmatch(path.name)  # `muse_lyrics_20261121`, not `muse_lyrics_3_20261121`
        return found is not None and path.name == f"{self.name}_{found[1]}.index"


def _put(source: Path, target: Path) -> None:
    with storage_faults(target):
        target.parent.mkdir(parents=True, exist_ok=True)
        if target.exists() and _same(source, target):
            return
        temporary = target.with_name(f".{target.name}.{os.getpid()}.tmp")
        temporary.unlink(missing_ok=True)
        try:
            if not _linked(source, temporary):
                shutil.copy2(source, temporary)
                seal(temporary)
            temporary.replace(target)
            sync_folder(target.parent)
        finally:
            with suppress(FileNotFoundError):
                temporary.unlink()


def _linked(source: Path, target: Path) -> bool:
    """Whether ``target`` could be made a hard link; a file that others may write is copied instead."""
    if source.stat().st_mode & 0o777 != READ_ONLY:
        return False
    try:
        os.link(source, target)
    except OSError:  # another file system, or one without links
        return False
    return True


def _same(first: Path, second: Path) -> bool:
    """Whether both are one file, or one may be a copy of the other and they hold the same bytes."""
    try:
        one, other = first.stat(), second.stat()
        if (one.st_dev, one.st_ino) == (other.st_dev, other.st_ino):
            return True
        linked = one.st_dev == other.st_dev and max(one.st_nlink, other.st_nlink) > 1
        return not linked and one.st_size == other.st_size and FileDigest.of(first) == FileDigest.of(second)
    except OSError:  # one of them is not there, or cannot be read
        return False


def _day_of(path: Path) -> date:
    return datetime.fromtimestamp(path.stat().st_mtime, UTC).date()
