"""An exact store over plain files: the oracle of tests and gates, and a search without any engine.

A generation is ``vectors.f32`` (rows of unit norm), ``ids.npy`` and ``keywords.json``, in id order. Building keeps ids
and keywords in memory, vectors go straight to disk; searching maps them.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np

from include.generations.files import replacing, write_text
from include.vector_store.checks import check_queries, check_top_k
from include.vector_store.folder_store import FolderStore
from include.vector_store.oracle import exact_search, unit
from include.vector_store.protocol import CollectionInfo, Ids, Neighbours, Vectors

PAGE = 10_000


class _FileWriter:
    """Vectors in the order of their upserts, until the generation is finished."""

    def __init__(self, folder: Path, dimension: int) -> None:
        folder.mkdir()
        self._folder, self._dimension = folder, dimension
        self._upserts = (folder / "upserts.f32").open("wb")
        self._ids: list[int] = []
        self._keywords: list[str] = []

    def append(self, ids: Ids, vectors: Vectors, keywords: Sequence[str]) -> None:
        self._upserts.write(unit(vectors).tobytes())
        self._ids += np.asarray(ids).tolist()
        self._keywords += keywords

    def finish(self, lock: int) -> tuple[int, int]:  # noqa: ARG002 — no child process works here
        """Write the rows in id order, the last upsert of each id."""
        self._upserts.close()
        last = {keyword_id: row for row, keyword_id in enumerate(self._ids)}
        order = np.array([last[keyword_id] for keyword_id in sorted(last)], np.int64)
        rows = _rows(Path(self._upserts.name), self._dimension)
        with replacing(self._folder / "vectors.f32") as path, path.open("wb") as file:
            for start in range(0, len(order), PAGE):
                file.write(rows[order[start : start + PAGE]].tobytes())
        with replacing(self._folder / "ids.npy") as path, path.open("wb") as file:
            np.save(file, np.array(self._ids, np.int64)[order])
        texts = json.dumps([self._keywords[row] for row in order], ensure_ascii=False)
        write_text(self._folder / "keywords.json", texts)
        Path(self._upserts.name).unlink()
        return len(order), 0

    def close(self) -> None:
        self._upserts.close()


class ExactStore(FolderStore):
    """:class:`~include.vector_store.protocol.KeywordStore` over a folder, searched exactly by numpy."""

    def __init__(self, folder: Path) -> None:
        super().__init__(folder, _FileWriter)

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

    def keywords_of(self, name: str, ids: Sequence[int]) -> dict[int, str]:
        """See the protocol."""
        there, keywords = self._folders.opened(name, self._read_keywords)
        rows = np.flatnonzero(np.isin(there, np.array(ids, np.int64)))
        return {int(there[row]): keywords[row] for row in rows}

    def _read(self, generation: str) -> tuple[CollectionInfo, Ids, Vectors]:
        info, folder = self._folders.info(generation), self._folders.folder(generation)
        return info, np.load(folder / "ids.npy"), _rows(folder / "vectors.f32", info.dimension)

    def _read_keywords(self, generation: str) -> tuple[Ids, list[str]]:
        folder = self._folders.folder(self._folders.info(generation).generation)
        return np.load(folder / "ids.npy"), json.loads((folder / "keywords.json").read_text(encoding="utf-8"))


def _rows(path: Path, dimension: int) -> Vectors:
    """A file of float32 rows, mapped; an empty file cannot be."""
    if path.stat().st_size == 0:
        return np.empty((0, dimension), np.float32)
    return np.memmap(path, np.float32, "r").reshape(-1, dimension)
