"""Qdrant's engine in process: each generation is one shard folder, built once, then only read.

The write-ahead log is off: with it one process alone could open a shard, and without it nothing guards against a second
writer. The build lock is that guard, and a sealed shard is never written again. Readers need write permission on the
folder, since opening a shard touches small files in it.

The engine holds the interpreter's lock during every call, so threads gain nothing here: search in several processes.
"""

from __future__ import annotations

import os
import threading
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from include.errors import ContractError
from include.vector_store import edge_engine
from include.vector_store.checks import check_points, check_queries, check_top_k
from include.vector_store.folders import BuildLock, GenerationFolders
from include.vector_store.protocol import CollectionInfo, Ids, Neighbours, Vectors

OPEN_SHARDS = 2  # a gate searches a new generation while the served one stays open


@dataclass(frozen=True)
class _Build:
    shard: edge_engine.Shard
    lock: BuildLock
    dimension: int
    model: str
    model_fingerprint: str


@dataclass(frozen=True)
class _Reader:
    shard: edge_engine.Shard
    info: CollectionInfo


class EdgeStore:
    """:class:`~include.vector_store.protocol.KeywordStore` over a folder, with the Qdrant engine in this process.

    Safe from several threads; after a fork the child opens its own shards.
    """

    def __init__(self, folder: Path) -> None:
        self._folders = GenerationFolders(folder)
        self._lock = threading.RLock()
        self._builds: dict[str, _Build] = {}
        self._readers: dict[str, _Reader] = {}
        self._process = os.getpid()
        self._inherited: list[dict[str, _Reader]] = []

    def begin(self, generation: str, *, dimension: int, model: str, model_fingerprint: str) -> None:
        """See the protocol; the generation is locked until its seal, or until this process is gone."""
        with self._lock:
            self._give_up(generation)
            lock = self._folders.lock(generation)
            try:
                shard = edge_engine.create(self._folders.make_empty(generation), dimension)
            except BaseException:
                lock.close()
                raise
            self._builds[generation] = _Build(shard, lock, dimension, model, model_fingerprint)

    def upsert(self, generation: str, ids: Ids, vectors: Vectors, keywords: Sequence[str]) -> None:
        """See the protocol."""
        build = self._build(generation)
        array = check_points(generation, ids, vectors, keywords, build.dimension)
        with self._lock, edge_engine.engine_errors(self._folders.folder(generation)):
            edge_engine.upsert(build.shard, ids, array, keywords)

    def seal(self, generation: str, *, expected: int) -> CollectionInfo:
        """See the protocol; the graph is built in a child process, so that this one stays responsive.

        Whatever is raised, the build is given up and can be begun again.
        """
        build = self._build(generation)
        folder = self._folders.folder(generation)
        try:
            with self._lock, edge_engine.engine_errors(folder):
                build.shard.flush()
                build.shard.close()
            built = edge_engine.build_graph(folder, build.lock.descriptor)
            if built["points"] != expected:
                msg = f"{generation} holds {built['points']} points, not the {expected} expected. Build it again."
                raise ContractError(msg)
            info = CollectionInfo(generation, build.dimension, build.model, build.model_fingerprint, **built)
            self._folders.seal(info)
        finally:
            with self._lock:
                del self._builds[generation]
            build.lock.close()
        return info

    def promote(self, alias: str, generation: str) -> str | None:
        """See the protocol."""
        return self._folders.promote(alias, generation)

    def resolve(self, alias: str) -> str | None:
        """See the protocol."""
        return self._folders.resolve(alias)

    def info(self, name: str) -> CollectionInfo:
        """See the protocol."""
        return self._folders.info(name)

    def search(self, name: str, queries: Vectors, top_k: int) -> Neighbours:
        """See the protocol."""
        check_top_k(top_k)
        with self._lock:
            reader = self._reader(name)
            rows = check_queries(name, queries, reader.info.dimension)
            with edge_engine.engine_errors(self._folders.folder(reader.info.generation)):
                return edge_engine.search(reader.shard, rows, top_k, reader.info.points)

    def keywords(self, name: str) -> Iterator[tuple[Ids, list[str]]]:
        """See the protocol; pages stay with one generation, even when the alias moves."""
        generation = self._folders.generation_of(name)
        offset = None
        while True:
            with self._lock:
                ids, keywords, offset = edge_engine.page(self._reader(generation).shard, offset)
            if len(ids):
                yield ids, keywords
            if offset is None:
                return

    def generations(self, alias: str) -> list[str]:
        """See the protocol."""
        return self._folders.generations(alias)

    def prune(self, alias: str, *, keep: int) -> list[str]:
        """See the protocol; what dead builds left is removed too."""
        return self._folders.prune(alias, keep=keep)

    def drop(self, generation: str) -> None:
        """See the protocol."""
        self._folders.drop(generation)
        with self._lock:
            if self._process == os.getpid() and (reader := self._readers.pop(generation, None)):
                reader.shard.close()

    def close(self) -> None:
        """Close what is open for reading; a build that was not sealed is given up."""
        with self._lock:
            if self._process == os.getpid():
                for generation in list(self._builds):
                    self._give_up(generation)
                while self._readers:
                    self._readers.popitem()[1].shard.close()

    def _give_up(self, generation: str) -> None:
        build = self._builds.pop(generation, None)
        if build is not None:
            build.shard.close()
            build.lock.close()

    def _build(self, generation: str) -> _Build:
        try:
            return self._builds[generation]
        except KeyError:
            msg = f"{generation} is not being built by this process. Call begin() first."
            raise ContractError(msg) from None

    def _reader(self, name: str) -> _Reader:
        """The open shard that ``name`` names now."""
        if self._process != os.getpid():
            # Kept, not closed: closing would write into the parent's files and wait for threads that a fork loses.
            self._inherited.append(self._readers)
            self._process, self._readers = os.getpid(), {}
        return self._folders.opened(name, self._opened)

    def _opened(self, generation: str) -> _Reader:
        if generation not in self._readers:
            info = self._folders.info(generation)
            while len(self._readers) >= OPEN_SHARDS:
                self._readers.pop(next(iter(self._readers))).shard.close()
            self._readers[generation] = _Reader(edge_engine.load(self._folders.folder(generation)), info)
        return self._readers[generation]
