"""An exact store over plain files: the oracle of tests and gates, and a search without any engine.

A generation is ``vectors.f32`` (rows of unit norm), ``ids.npy`` and ``keywords.json``, in id order. Building keeps ids
and keywords in memory, vectors go straight to disk; searching maps them.
"""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import BinaryIO

import numpy as np

from include.errors import ContractError
from include.generations.files import replacing, write_text
from include.vector_store.checks import check_points, check_queries, check_top_k
from include.vector_store.folders import BuildLock, GenerationFolders
from include.vector_store.oracle import exact_search, unit
from include.vector_store.protocol import CollectionInfo, Ids, Neighbours, Vectors

PAGE = 10_000


@dataclass
class _Build:
    lock: BuildLock
    dimension: int
    model: str
    model_fingerprint: str
    rows: BinaryIO
    ids: list[int] = field(default_factory=list)
    keywords: list[str] = field(default_factory=list)

    def close(self) -> None:
        self.rows.close()
        self.lock.close()


class ExactStore:
    """:class:`~include.vector_store.protocol.KeywordStore` over a folder, searched exactly by numpy."""

    def __init__(self, folder: Path) -> None:
        self._folders = GenerationFolders(folder)
        self._lock = threading.RLock()
        self._builds: dict[str, _Build] = {}

    def begin(self, generation: str, *, dimension: int, model: str, model_fingerprint: str) -> None:
        """See the protocol; the generation is locked until its seal, or until this process is gone."""
        with self._lock:
            self._give_up(generation)
            lock = self._folders.lock(generation)
            folder = self._folders.make_empty(generation)
            folder.mkdir()
            rows = (folder / "upserts.f32").open("wb")
            self._builds[generation] = _Build(lock, dimension, model, model_fingerprint, rows)

    def upsert(self, generation: str, ids: Ids, vectors: Vectors, keywords: Sequence[str]) -> None:
        """See the protocol."""
        build = self._build(generation)
        array = unit(check_points(generation, ids, vectors, keywords, build.dimension))
        with self._lock:
            build.rows.write(array.tobytes())
            build.ids += np.asarray(ids).tolist()
            build.keywords += keywords

    def seal(self, generation: str, *, expected: int) -> CollectionInfo:
        """See the protocol."""
        build = self._build(generation)
        folder = self._folders.folder(generation)
        try:
            build.rows.close()
            last = {keyword_id: row for row, keyword_id in enumerate(build.ids)}
            if len(last) != expected:
                msg = f"{generation} holds {len(last)} points, not the {expected} expected. Build it again."
                raise ContractError(msg)
            _write(folder, build, np.array([last[keyword_id] for keyword_id in sorted(last)], np.int64))
            info = CollectionInfo(generation, build.dimension, build.model, build.model_fingerprint, expected, 0)
            self._folders.seal(info)
        finally:
            self._give_up(generation)
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
        info, ids, vectors = self._folders.opened(name, self._read)
        return exact_search(vectors, ids, unit(check_queries(name, queries, info.dimension)), top_k)

    def keywords(self, name: str) -> Iterator[tuple[Ids, list[str]]]:
        """See the protocol."""
        ids, keywords = self._folders.opened(name, self._read_keywords)
        for start in range(0, len(ids), PAGE):
            yield ids[start : start + PAGE], keywords[start : start + PAGE]

    def _read(self, generation: str) -> tuple[CollectionInfo, Ids, Vectors]:
        info, folder = self._folders.info(generation), self._folders.folder(generation)
        return info, np.load(folder / "ids.npy"), _rows(folder / "vectors.f32", info.dimension)

    def _read_keywords(self, generation: str) -> tuple[Ids, list[str]]:
        folder = self._folders.folder(self._folders.info(generation).generation)
        return np.load(folder / "ids.npy"), json.loads((folder / "keywords.json").read_text(encoding="utf-8"))

    def generations(self, alias: str) -> list[str]:
        """See the protocol."""
        return self._folders.generations(alias)

    def prune(self, alias: str, *, keep: int) -> list[str]:
        """See the protocol; what dead builds left is removed too."""
        return self._folders.prune(alias, keep=keep)

    def drop(self, generation: str) -> None:
        """See the protocol."""
        self._folders.drop(generation)

    def close(self) -> None:
        """A build that was not sealed is given up."""
        with self._lock:
            for generation in list(self._builds):
                self._give_up(generation)

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


def _rows(path: Path, dimension: int) -> Vectors:
    """A file of float32 rows, mapped; an empty file cannot be."""
    if path.stat().st_size == 0:
        return np.empty((0, dimension), np.float32)
    return np.memmap(path, np.float32, "r").reshape(-1, dimension)


def _write(folder: Path, build: _Build, order: Ids) -> None:
    """The upserted rows in id order, the last upsert of each id."""
    upserts = folder / "upserts.f32"
    rows = _rows(upserts, build.dimension)
    with replacing(folder / "vectors.f32") as path, path.open("wb") as file:
        for start in range(0, len(order), PAGE):
            file.write(rows[order[start : start + PAGE]].tobytes())
    with replacing(folder / "ids.npy") as path, path.open("wb") as file:
        np.save(file, np.array(build.ids, np.int64)[order])
    write_text(folder / "keywords.json", json.dumps([build.keywords[row] for row in order], ensure_ascii=False))
    upserts.unlink()
