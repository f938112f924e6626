"""Generations as folders on one machine: ``<root>/shards/<generation>/`` with a ``SEALED`` marker, aliases as files.

What is shared by the back ends that need no server: names, locks, the marker, promote and prune. A generation is
sealed when its marker stands, which is written by rename after the count was checked; the kernel frees the build lock
of a process that dies, so its half-built folder can be begun again.
"""

from __future__ import annotations

import logging
import os
import re
import shutil
from collections.abc import Callable, Collection
from contextlib import ExitStack, suppress
from dataclasses import asdict, dataclass
from json import loads
from pathlib import Path
from typing import TypeVar

from include.errors import Busy, ContractError, EmbsearchError, InputError
from include.generations.files import write_json
from include.generations.locks import locked
from include.generations.names import SEPARATOR, alias_of
from include.generations.pointer import Pointer
from include.generations.promotion import left_by, outdated, roll_back_target
from include.vector_store.protocol import CollectionInfo

log = logging.getLogger(__name__)
Result = TypeVar("Result")

MARKER = "SEALED"
LEFT = "ROLLED_BACK"  # stands in a generation that a roll back left
FOLLOW_TIMES = 5
_NAME = re.compile(r"[a-z0-9][a-z0-9_-]{0,199}")


@dataclass(frozen=True)
class BuildLock:
    """The right to build one generation, held until closed or until this process and its children are gone."""

    descriptor: int
    stack: ExitStack

    def close(self) -> None:
        """Let others build."""
        self.stack.close()


@dataclass(frozen=True)
class GenerationFolders:
    """All generations under one root, and which of them each alias names."""

    root: Path

    def folder(self, generation: str) -> Path:
        """Where a generation's files are.

        Raises:
            InputError: the name could leave the root.
        """
        if not _NAME.fullmatch(generation):
            msg = f"{generation!r} cannot name a generation: use a–z, 0–9, '-' and '_', at most 200 of them."
            raise InputError(msg)
        return self.root / "shards" / generation

    def lock(self, generation: str) -> BuildLock:
        """The right to build ``generation``.

        Raises:
            Busy: another process has it.
            ContractError: the generation is sealed already.
        """
        stack = ExitStack()
        path = self._lock_file(self.folder(generation).name)
        descriptor = stack.enter_context(locked(path, purpose=f"build of {generation}"))
        if self.sealed(generation):
            stack.close()
            msg = f"{generation} in {self.root} is sealed already. Build under a new name; sealed ones never change."
            raise ContractError(msg)
        return BuildLock(descriptor, stack)

    def sealed(self, generation: str) -> bool:
        """Whether ``generation`` is finished and can be read."""
        return (self.folder(generation) / MARKER).exists()

    def seal(self, info: CollectionInfo) -> None:
        """Declare a generation finished; all its files must be on disk."""
        write_json(self.folder(info.generation) / MARKER, asdict(info))

    def info(self, name: str) -> CollectionInfo:
        """What a sealed generation (or the one an alias names) says of itself.

        Raises:
            InputError: there is none.
        """
        return self.opened(name, self._read_marker)

    def opened(self, name: str, opener: Callable[[str], Result]) -> Result:
        """What ``opener`` makes of the generation that ``name`` names now.

        Between look-up and opening, a promote and a prune may drop that generation: the alias is then followed again.
        """
        for _ in range(FOLLOW_TIMES):
            generation = self.generation_of(name)
            try:
                return opener(generation)
            except (OSError, EmbsearchError):
                if self.generation_of(name) == generation:
                    raise
        return opener(self.generation_of(name))

    def _read_marker(self, generation: str) -> CollectionInfo:
        try:
            text = (self.folder(generation) / MARKER).read_text(encoding="utf-8")
        except FileNotFoundError:
            msg = f"No sealed generation {generation!r} in {self.root}. There are: {', '.join(self.all()) or 'none'}."
            raise InputError(msg) from None
        return CollectionInfo(**loads(text))

    def generation_of(self, name: str) -> str:
        """``name`` itself, or what it names when it is an alias.

        Raises:
            InputError: the alias names nothing.
        """
        if SEPARATOR in name:
            return name
        generation = self.resolve(name)
        if generation is None:
            msg = f"No collection {name!r} in {self.root}. Index keywords first: embsearch index-vectors."
            raise InputError(msg)
        return generation

    def resolve(self, alias: str) -> str | None:
        """The served generation, or ``None``."""
        return Pointer(self.root, self.folder(alias).name).current()

    def promote(self, alias: str, generation: str) -> str | None:
        """Serve ``generation`` under ``alias``; return the one served before.

        Raises:
            ContractError: it is not sealed.
        """
        if not self.sealed(generation):
            msg = f"{generation} in {self.root} is not sealed, so {alias} stays as it is. Finish its build first."
            raise ContractError(msg)
        (self.folder(generation) / LEFT).unlink(missing_ok=True)
        return Pointer(self.root, self.folder(alias).name).promote(generation)

    def rollback(self, alias: str, to: str | None = None) -> str:
        """Serve an earlier generation, or the one named; mark those that are left; return what is served now.

        Raises:
            InputError: there is none to go back to.
        """
        served, generations = self.resolve(alias), self.generations(alias)
        target = roll_back_target(alias, served, generations, to, left=self._left(generations))
        for generation in left_by(served, target, generations):
            (self.folder(generation) / LEFT).touch()
        self.promote(alias, target)
        return target

    def _left(self, generations: list[str]) -> list[str]:
        return [generation for generation in generations if (self.folder(generation) / LEFT).exists()]

    def all(self) -> list[str]:
        """Every sealed generation, oldest first."""
        return sorted(marker.parent.name for marker in (self.root / "shards").glob(f"*{SEPARATOR}*/{MARKER}"))

    def generations(self, alias: str) -> list[str]:
        """The sealed generations built for ``alias``, oldest first."""
        return [generation for generation in self.all() if alias_of(generation) == alias]

    def prune(self, alias: str, *, keep: int, needed: Collection[str] = ()) -> list[str]:
        """Drop old generations and what dead builds left; return the generations dropped."""
        generations = self.generations(alias)
        dropped = outdated(generations, self.resolve(alias), keep, left=self._left(generations), needed=needed)
        dropped = [generation for generation in dropped if self.drop(generation)]
        for folder in (self.root / "shards").glob(f"{alias}{SEPARATOR}*"):
            with suppress(Busy, ContractError):  # being built, or sealed
                lock = self.lock(folder.name)
                log.info("removing %s, left by a build that died", folder)
                self.remove(folder.name)
                lock.close()
        for folder in (self.root / "shards").glob(f".dropped.{alias}{SEPARATOR}*"):
            shutil.rmtree(folder, ignore_errors=True)
        return dropped

    def drop(self, generation: str) -> bool:
        """Take a generation away, unless it is served; return whether it was."""
        if self.resolve(alias_of(generation)) == generation:
            return False
        self.remove(generation)
        return True

    def make_empty(self, generation: str) -> Path:
        """Take away what a dead build left of ``generation``; return its folder, not yet made."""
        self.remove(generation)
        folder = self.folder(generation)
        folder.parent.mkdir(parents=True, exist_ok=True)
        return folder

    def remove(self, generation: str) -> None:
        """Take a generation away in one step, then free its space; processes that have it open read on."""
        folder = self.folder(generation)
        doomed = folder.with_name(f".dropped.{generation}.{os.getpid()}")
        with suppress(FileNotFoundError):
            folder.rename(doomed)
        shutil.rmtree(doomed, ignore_errors=True)

    def _lock_file(self, name: str) -> Path:
        return self.root / "locks" / f"{name}.build.lock"
