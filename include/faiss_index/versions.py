"""Versions of one index as folders, and which of them is served.

``<root>/versions/<name>/`` appears by rename when all of its files are on disk; ``<root>/CURRENT`` names the served
one. A version is never changed. A folder that carries ``UNSERVED`` was finished by a process that died before it served
it: whoever takes the lock next removes it, with all other remains.
"""

from __future__ import annotations

import logging
import shutil
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass
from datetime import UTC, date, datetime
from pathlib import Path

from include.errors import ContractError, EmbsearchError, InputError
from include.faiss_index.manifest import INDEX, Manifest
from include.faiss_index.publications import Publications
from include.faiss_index.published import PublishedFiles
from include.faiss_index.storage import storage_faults
from include.faiss_index.version import Version
from include.generations.files import sync_folder
from include.generations.locks import locked
from include.generations.names import SEPARATOR, generation_name, run_key
from include.generations.pointer import Pointer
from include.generations.promotion import left_by, outdated, roll_back_target

log = logging.getLogger(__name__)

CURRENT = "CURRENT"
UNSERVED = "UNSERVED"
LEFT = "LEFT"  # in a version that was rolled back from
_HIDDEN = ".building."
_DROPPED = ".dropped."
_FOLLOW_TIMES = 5


@dataclass(frozen=True)
class IndexFolder:
    """One index: its versions, its pointer, and the files that readers outside open."""

    root: Path
    alias: str  # part of each version's name
    published: PublishedFiles | None = None
    keep: int = 2  # versions, dated files and backups; the served version and its parent always stay
    output: Path | None = None  # another folder to publish to, from the next version on
    contents: str = ""  # what is in it, in words; empty: ``alias``

    @property
    def versions(self) -> Path:
        """The folder of all versions."""
        return self.root / "versions"

    @contextmanager
    def alone(self, purpose: str) -> Iterator[Alone]:
        """The right to change anything here, which others then do not have; what dead processes left is removed.

        Raises:
            Busy: another process has the lock.
        """
        with ExitStack() as stack:
            with storage_faults(self.root):
                stack.enter_context(locked(self.root / ".lock", purpose=f"{purpose} of {self.contents or self.alias}"))
                self._sweep()
            yield Alone(self)

    def served_name(self) -> str | None:
        """What CURRENT names, or ``None`` before the first version."""
        with storage_faults(self.root / CURRENT):
            return self._pointer().current()

    def current(self) -> Version | None:
        """The served version, or ``None`` before the first.

        Raises:
            ContractError: CURRENT names a version that is missing or damaged.
        """
        for _ in range(_FOLLOW_TIMES):
            name = self.served_name()
            if name is None:
                return None
            try:
                return Version(self.versions / name, Manifest.read(self.versions / name))
            except FileNotFoundError:
                if self.served_name() == name:  # else it was pruned between the two looks
                    break
        msg = f"{self.root / CURRENT} names {name}, which is not there. Roll back, or run faiss_rebuild."
        raise ContractError(msg)

    def version(self, name: str) -> Version:
        """The version called ``name``.

        Raises:
            InputError: there is none.
            ContractError: its manifest is damaged.
        """
        if name not in self.all():
            msg = f"{name} is no version of {self.alias}. There are: {', '.join(self.all()) or 'none'}."
            raise InputError(msg)
        return Version(self.versions / name, Manifest.read(self.versions / name))

    def all(self) -> list[str]:
        """Every finished version, oldest first."""
        served = self.served_name()
        found = (path.parent for path in self.versions.glob(f"{self.alias}{SEPARATOR}*/manifest.json"))
        return sorted(path.name for path in found if path.name == served or not (path / UNSERVED).exists())

    def finish(self, building: Path, manifest: Manifest) -> Version:
        """Serve what was built in ``building``, whose files are checked and on disk; then prune."""
        version = Version(self.versions / manifest.version, manifest)
        with storage_faults(building):
            (building / UNSERVED).touch()
            manifest.write(building)
            building.rename(version.folder)
            sync_folder(self.versions)
        try:
            self.promote(version)
        except BaseException:
            if self.served_name() != version.name:
                self._withdraw(version.folder)
            raise
        self.prune()
        return version

    def promote(self, version: Version, *, backup: bool = True) -> None:
        """Serve ``version``: the pointer, then the published files."""
        index, day = version.folder / INDEX, version.manifest.origin.day
        self.publications.add(self.output)
        self.publications.prepare(index, day)
        with storage_faults(self.root / CURRENT):
            self._pointer().promote(version.name)
            for mark in (UNSERVED, LEFT):
                (version.folder / mark).unlink(missing_ok=True)
        self.publications.serve(index, self._days(), backup=backup)
        log.info("%s serves %s, %d rows", self.alias, version.name, version.manifest.ntotal)

    def roll_back(self, to: str | None = None) -> Version:
        """Serve ``to``, or else :meth:`before`; versions that are left as bad are marked.

        Raises:
            Busy: another process is changing something here.
            InputError: there is no such version, or none before.
            ContractError: its files are damaged, so the served one stays.
        """
        with self.alone("roll back") as alone:
            return alone.roll_back(self.before() if to is None else to)

    def before(self) -> str:
        """Where a roll back leads: what the served version was made from, else the newest before it that was not left.

        Raises:
            InputError: there is none.
        """
        served, names, left = self.served_if_whole(), self.all(), self.left()
        parent = served.manifest.parent if served else None
        to = parent if parent in names and parent not in left else None
        return roll_back_target(self.alias, self.served_name(), names, to, left=left)

    def left(self) -> list[str]:
        """The versions that were rolled back from, and were not served again since."""
        return [name for name in self.all() if (self.versions / name / LEFT).exists()]

    def prune(self) -> list[str]:
        """Drop the oldest versions beyond ``keep``, never the served one or its parent; return them.

        Those that were rolled back from go first, and count for none of the ``keep``.
        """
        served = self.current()
        parent = served.manifest.parent if served else None
        old = outdated(self.all(), self.served_name(), self.keep, left=self.left())
        dropped = [name for name in old if name != parent]
        days = self._days()
        for name in dropped:
            self.remove(name)
        made = {days[name] for name in (served.name, parent) if name in days} if served else set()
        self.publications.prune(self.keep, made)
        return dropped

    def remove(self, name: str) -> None:
        """Take a version away in one step, then free its space; who has it open reads on."""
        doomed = self.versions / f"{_DROPPED}{name}"
        with storage_faults(doomed), suppress(FileNotFoundError):
            (self.versions / name).rename(doomed)
        shutil.rmtree(doomed, ignore_errors=True)

    def served_if_whole(self) -> Version | None:
        """The served version, or ``None`` where there is none or its manifest is damaged."""
        try:
            return self.current()
        except ContractError as error:
            log.warning("%s", error)
            return None

    def _sweep(self) -> None:
        served = self.served_if_whole()
        for folder in (*self.versions.glob(f"{_HIDDEN}*"), *self.versions.glob(f"{_DROPPED}*")):
            log.info("removing %s, left by a process that died", folder)
            shutil.rmtree(folder, ignore_errors=True)
        for marker in self.versions.glob(f"*/{UNSERVED}"):
            if served and marker.parent == served.folder:
                marker.unlink()
            else:
                self._withdraw(marker.parent)
        if served:
            (served.folder / LEFT).unlink(missing_ok=True)  # a roll back that died before it had switched
            if not self.publications.serve_all(served.folder / INDEX):
                self._publish_again(served)

    def _publish_again(self, served: Version) -> None:
        """A process died between the pointer and the published files, or somebody changed these."""
        try:
            self.promote(served)
        except EmbsearchError:
            log.exception("%s: the published files do not show what is served", self.alias)

    def _withdraw(self, folder: Path) -> None:
        log.info("removing %s, finished but never served", folder)
        with suppress(ContractError, FileNotFoundError):
            self.publications.withdraw(folder / INDEX, Manifest.read(folder).origin.day)
        self.remove(folder.name)

    def withdraw(self, name: str) -> None:
        """Take a damaged version away, with all published files that are its own."""
        self.publications.withdraw(self.versions / name / INDEX)
        self.remove(name)

    @property
    def publications(self) -> Publications:
        """All folders where readers outside find this index."""
        return Publications(self.root, self.published)

    def _days(self) -> dict[str, date]:
        """The day of each version whose manifest can be read."""
        found = {}
        for name in self.all():
            with suppress(ContractError, FileNotFoundError):
                found[name] = Manifest.read(self.versions / name).origin.day
        return found

    def _pointer(self) -> Pointer:
        return Pointer(self.root, self.alias, CURRENT)


@dataclass(frozen=True)
class Alone:
    """The right to change one index, from :meth:`IndexFolder.alone`."""

    folder: IndexFolder

    def roll_back(self, to: str) -> Version:
        """Serve the version ``to``, every byte of it checked; mark those that are left as bad."""
        folder = self.folder
        names, served = folder.all(), folder.served_name()
        version = folder.version(roll_back_target(folder.alias, served, names, to))
        version.check()
        for name in left_by(served, to, names):
            with storage_faults(folder.versions / name):
                (folder.versions / name / LEFT).touch()
        folder.promote(version)
        return version

    @contextmanager
    def building(self, key: str) -> Iterator[Path]:
        """An empty hidden folder for the next version, named for this try alone; removed unless it was finished."""
        name = generation_name(self.folder.alias, datetime.now(UTC), run_key(key))
        building = self.folder.versions / f"{_HIDDEN}{name}"
        with storage_faults(building):
            building.mkdir(parents=True)
        try:
            yield building
        finally:
            shutil.rmtree(building, ignore_errors=True)


def version_name(building: Path) -> str:
    """The version that is built in the hidden folder ``building``."""
    return building.name.removeprefix(_HIDDEN)
