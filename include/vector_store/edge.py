"""Qdrant's engine in process: each generation is one shard folder, built once, then only read.

The write-ahead log is off: with it one process alone could open a shard, and without it nothing guards against a second
writer. The build lock is that guard, and a sealed shard is never written again. Readers need write permission on the
folder, since opening a shard touches small files in it.

The engine holds the interpreter's lock during every call, so threads gain nothing here: search in several processes.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from include.vector_store.checks import check_queries, check_top_k
from include.vector_store.edge_engine import Shard, build_graph
from include.vector_store.folder_store import FolderStore
from include.vector_store.hnsw import needs_graph
from include.vector_store.protocol import CollectionInfo, Ids, Neighbours, Vectors

OPEN_SHARDS = 2  # a gate searches a new generation while the served one stays open


class _ShardWriter:
    """A shard that is being loaded."""

    def __init__(self, folder: Path, dimension: int) -> None:
        self._dimension = dimension
        self._shard = Shard.create(folder, dimension)

    def append(self, ids: Ids, vectors: Vectors, keywords: Sequence[str]) -> None:
        self._shard.upsert(ids, vectors, keywords)

    def finish(self, lock: int) -> tuple[int, int]:
        """The graph is built in a child process, so that this one stays responsive."""
        points = self._shard.count()
        self._shard.flush()
        self._shard.close()
        return points, build_graph(self._shard.folder, lock) if needs_graph(points, self._dimension) else 0

    def close(self) -> None:
        self._shard.close()


@dataclass(frozen=True)
class _Reader:
    shard: Shard
    info: CollectionInfo


class EdgeStore(FolderStore):
    """:class:`~include.vector_store.protocol.KeywordStore` over a folder, with the Qdrant engine in this process."""

    def __init__(self, folder: Path) -> None:
        super().__init__(folder, _ShardWriter)
        self._readers: dict[str, _Reader] = {}

    def search(self, name: str, queries: Vectors, top_k: int) -> Neighbours:
        """See the protocol."""
        check_top_k(top_k)
        with self._alone():
            reader = self._reader(name)
            rows = check_queries(name, queries, reader.info.dimension)
            return reader.shard.search(rows, top_k, reader.info.points)

    def keywords(self, name: str) -> Iterator[tuple[Ids, list[str]]]:
        """See the protocol; pages stay with one generation, even when the alias moves."""
        generation = self._folders.generation_of(name)
        offset = None
        while True:
            with self._alone():
                ids, keywords, offset = self._reader(generation).shard.page(offset)
            if len(ids):
                yield ids, keywords
            if offset is None:
                return

    def keywords_of(self, name: str, ids: Sequence[int]) -> dict[int, str]:
        """See the protocol."""
        with self._alone():
            return self._reader(name).shard.keywords_of(ids)

    def drop(self, generation: str) -> None:
        """See the protocol."""
        super().drop(generation)
        with self._alone():
            if reader := self._readers.pop(generation, None):
                reader.shard.close()

    def close(self) -> None:
        """Close what is open for reading; a build that was not sealed is given up."""
        super().close()
        with self._alone():
            while self._readers:
                self._readers.popitem()[1].shard.close()

    def _leave_to_parent(self) -> None:
        super()._leave_to_parent()
        self._inherited.append(self._readers)
        self._readers = {}

    def _reader(self, name: str) -> _Reader:
        """The open shard that ``name`` names now."""
        return self._folders.opened(name, self._opened)

    def _opened(self, generation: str) -> _Reader:
        if generation not in self._readers:
            info = self._folders.info(generation)
            while len(self._readers) >= OPEN_SHARDS:
                self._readers.pop(next(iter(self._readers))).shard.close()
            self._readers[generation] = _Reader(Shard.load(self._folders.folder(generation)), info)
        return self._readers[generation]
