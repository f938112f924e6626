"""The files of what a build has gathered: vectors, metadata and marks, one image after the other by ascending id."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from io import BytesIO
from pathlib import Path
from typing import BinaryIO, Self

import numpy as np
from numpy.typing import NDArray

from include.errors import ContractError
from include.faiss_index.ids import Ids
from include.faiss_index.storage import FileDigest, hashed_file, storage_faults
from include.generations.vectors import VectorRows
from include.images.known import MARKS, VECTORS
from include.images.metadata import METADATA, line_of, write_metadata
from include.images.row import ImageRow
from include.images.sources import EMBEDDINGS, Sources

ROWS = "rows.jsonl"
PAGE = 20_000


@dataclass(frozen=True)
class Collected:
    """All images of a build."""

    folder: Path
    ids: Ids  # ascending
    marks: list[str]
    dimension: int

    @property
    def vectors(self) -> NDArray[np.float32]:
        """``[N, D]`` of unit length, in the order of the ids; the file is mapped."""
        shape = (len(self.ids), self.dimension)
        return np.memmap(self.folder / VECTORS, np.float32, "r", shape=shape) if len(self.ids) else np.empty(shape, "f")

    def sample(self, rows: int, *, seed: int = 0) -> VectorRows:
        """So many rows drawn at random, or all."""
        count = len(self.ids)
        chosen = np.sort(np.random.default_rng(seed).choice(count, min(rows, count), replace=False))
        return VectorRows(self.ids[chosen], np.array(self.vectors[chosen]))

    def pages(self) -> Iterator[VectorRows]:
        """All rows."""
        vectors = self.vectors
        for start in range(0, len(self.ids), PAGE):
            rows = slice(start, start + PAGE)
            yield VectorRows(self.ids[rows], np.array(vectors[rows]))

    def write_companions(self, folder: Path, ids: Ids, *, model: str, fingerprint: str) -> dict[str, FileDigest]:
        """Put the embeddings, the metadata and the sources into the folder of a version with those ``ids``.

        Raises:
            ContractError: the index has other ids.
        """
        if not np.array_equal(ids, self.ids):
            msg = f"{folder.name}: {len(ids)} ids in the index are not the {len(self.ids)} that were collected."
            raise ContractError(f"{msg} This is a defect: please report it.")
        return {
            EMBEDDINGS: self._write_embeddings(folder),
            METADATA: self.write_metadata(folder),
            "sources.json": Sources(model, fingerprint, self.marks).write(folder),
        }

    def write_metadata(self, folder: Path) -> FileDigest:
        """Put ``metadata.json`` into ``folder``."""
        with (self.folder / ROWS).open("rb") as rows:
            return write_metadata(folder, (line.rstrip(b"\n") for line in rows))

    def _write_embeddings(self, folder: Path) -> FileDigest:
        header = BytesIO()
        shape = {"descr": "<f4", "fortran_order": False, "shape": (len(self.ids), self.dimension)}
        np.lib.format.write_array_header_1_0(header, shape)
        with hashed_file(folder / EMBEDDINGS) as file:
            file.write(header.getbuffer())
            for page in self.pages():
                file.write(page.vectors.tobytes())
        return file.digest


@dataclass
class CollectedWriter:
    """Writes the files page by page; what is written of a page is read again after an interruption."""

    folder: Path
    dimension: int
    _vectors: BinaryIO
    _rows: BinaryIO
    _marks: BinaryIO
    _ids: list[int] = field(default_factory=list)
    _all_marks: list[str] = field(default_factory=list)

    @classmethod
    @contextmanager
    def open(cls, folder: Path, dimension: int) -> Iterator[Self]:
        """New files in ``folder``."""
        with ExitStack() as stack:
            with storage_faults(folder):
                vectors, rows, marks = (
                    stack.enter_context((folder / name).open("wb")) for name in (VECTORS, ROWS, MARKS)
                )
            yield cls(folder, dimension, vectors, rows, marks)

    def add(self, rows: Sequence[ImageRow], marks: Sequence[str], vectors: Sequence[NDArray[np.float32]]) -> None:
        """Append images, whose ids are greater than all before."""
        with storage_faults(self.folder):
            for row, mark, vector in zip(rows, marks, vectors, strict=True):
                self._vectors.write(np.ascontiguousarray(vector, "<f4").tobytes())
                self._rows.write(line_of(row.metadata()) + b"\n")
                self._marks.write(f"{row.image_id} {mark}\n".encode("ascii"))
                self._ids.append(row.image_id)
                self._all_marks.append(mark)
            for file in (self._vectors, self._rows, self._marks):
                file.flush()

    def finished(self) -> Collected:
        """What was written."""
        return Collected(self.folder, np.array(self._ids, np.int64), self._all_marks, self.dimension)
