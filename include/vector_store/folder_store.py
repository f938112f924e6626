"""The building half of every store over folders: begin, upsert, seal, and what needs no look into the vectors."""

from __future__ import annotations

import os
import threading
from collections.abc import Callable, Collection, Iterator, Sequence
from contextlib import closing, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

from include.errors import ContractError
from include.vector_store.checks import check_points
from include.vector_store.folders import BuildLock, GenerationFolders
from include.vector_store.protocol import CollectionInfo, Ids, Vectors


class Writer(Protocol):
    """The files of one generation while it is built."""

    def append(self, ids: Ids, vectors: Vectors, keywords: Sequence[str]) -> None:
        """Add or replace points, which have been checked."""
        ...

    def finish(self, lock: int) -> tuple[int, int]:
        """Bring everything to disk, ready to be searched; return the points, and how many of them are in a graph.

        A child process that works on the files inherits ``lock``, so that no other build starts while it lives.
        """
        ...

    def close(self) -> None:
        """Let go of the files, finished or not; may be called twice."""
        ...


@dataclass(frozen=True)
class _Build:
    writer: Writer
    lock: BuildLock
    dimension: int
    model: str
    model_fingerprint: str

    def close(self) -> None:
        try:
            self.writer.close()
        finally:
            self.lock.close()


class FolderStore:
    """What back ends without a server share; they add ``search`` and ``keywords``.

    Safe from several threads. After a fork the child has nothing open, and leaves alone what the parent has.
    """

    def __init__(self, folder: Path, writer: Callable[[Path, int], Writer]) -> None:
        """``writer`` makes a folder, which does not stand yet, the files of a generation of so many dimensions."""
        self._folders = GenerationFolders(folder)
        self._writer = writer
        self._builds: dict[str, _Build] = {}
        self._lock = threading.RLock()
        self._process = os.getpid()
        self._inherited: list[Any] = []

    def begin(self, generation: str, *, dimension: int, model: str, model_fingerprint: str) -> None:
        """See the protocol; the generation is locked until its seal, or until this process is gone."""
        with self._alone():
            self._give_up(generation)
            lock = self._folders.lock(generation)
            try:
                writer = self._writer(self._folders.make_empty(generation), dimension)
            except BaseException:
                lock.close()
                raise
            self._builds[generation] = _Build(writer, lock, dimension, model, model_fingerprint)

    def upsert(self, generation: str, ids: Ids, vectors: Vectors, keywords: Sequence[str]) -> None:
        """See the protocol."""
        with self._alone():
            build = self._build(generation)
            array = check_points(generation, ids, vectors, keywords, build.dimension)
            build.writer.append(ids, array, keywords)

    def seal(self, generation: str, *, expected: int) -> CollectionInfo:
        """See the protocol. Whatever is raised, the build is given up and can be begun again."""
        with self._alone():
            build = self._build(generation)
            del self._builds[generation]
        with closing(build):  # not alone: a graph takes minutes, and others may search meanwhile
            points, indexed = build.writer.finish(build.lock.descriptor)
            if points != expected:
                msg = f"{generation} holds {points} points, not the {expected} expected. Build it again."
                raise ContractError(msg)
            info = CollectionInfo(generation, build.dimension, build.model, build.model_fingerprint, points, indexed)
            self._folders.seal(info)
        return info

    def promote(self, alias: str, generation: str) -> str | None:
        """See the protocol."""
        return self._folders.promote(alias, generation)

    def rollback(self, alias: str, to: str | None = None) -> str:
        """See the protocol."""
        return self._folders.rollback(alias, to)

    def resolve(self, alias: str) -> str | None:
        """See the protocol."""
        return self._folders.resolve(alias)

    def info(self, name: str) -> CollectionInfo:
        """See the protocol."""
        return self._folders.info(name)

    def generations(self, alias: str) -> list[str]:
        """See the protocol."""
        return self._folders.generations(alias)

    def prune(self, alias: str, *, keep: int, needed: Collection[str] = ()) -> list[str]:
        """See the protocol."""
        return self._folders.prune(alias, keep=keep, needed=needed)

    def drop(self, generation: str) -> None:
        """See the protocol."""
        self._folders.drop(generation)

    def close(self) -> None:
        """A build that was not sealed is given up."""
        with self._alone():
            for generation in list(self._builds):
                self._give_up(generation)

    @contextmanager
    def _alone(self) -> Iterator[None]:
        """Keep the other threads out, and what a parent process has open out of reach."""
        if self._process != os.getpid():
            self._lock, self._process = threading.RLock(), os.getpid()  # another thread may have held it at the fork
            self._leave_to_parent()
        with self._lock:
            yield

    def _leave_to_parent(self) -> None:
        # Kept, not closed: closing would write into the parent's files and wait for threads that a fork loses.
        self._inherited.append(self._builds)
        self._builds = {}

    def _give_up(self, generation: str) -> None:
        build = self._builds.pop(generation, None)
        if build is not None:
            build.close()

    def _build(self, generation: str) -> _Build:
        try:
            return self._builds[generation]
        except KeyError:
            msg = f"{generation} is not being built by this process. Call begin() first."
            raise ContractError(msg) from None
