"""Embeddings that are there already: of the served version, and of builds that were interrupted."""

from __future__ import annotations

import logging
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Self

import numpy as np
from numpy.typing import NDArray

from include.errors import ContractError
from include.faiss_index.ids import Ids
from include.faiss_index.version import Version
from include.images.sources import Sources, read_embeddings

log = logging.getLogger(__name__)

VECTORS, MARKS = "vectors.f32", "marks.txt"  # of a build under way: a row, and a line `<id> <mark>`, for each image


@dataclass(frozen=True)
class Known:
    """Some images, what each was made from, and its vector."""

    ids: Ids  # ascending
    marks: list[str]
    vectors: NDArray[np.float32]  # [N, D], mapped

    @classmethod
    def of_version(cls, version: Version, fingerprint: str) -> Self | None:
        """Those of a version; ``None`` when another model made it, or its files are damaged."""
        try:
            sources, ids, vectors = Sources.read(version.folder), version.ids(), read_embeddings(version.folder)
        except ContractError as error:
            log.warning("%s: its embeddings are not used again: %s", version.name, error)
            return None
        if sources.fingerprint != fingerprint or not len(ids) == len(sources.marks) == len(vectors):
            return None
        return cls(ids, sources.marks, vectors)

    @classmethod
    def of_remains(cls, folder: Path, dimension: int) -> Self | None:
        """Those that a build had written when it was interrupted; ``None`` when that were none."""
        try:
            size = (folder / VECTORS).stat().st_size
            text = (folder / MARKS).read_text(encoding="ascii")
        except OSError:
            return None
        lines = text[: text.rfind("\n") + 1].splitlines()  # the last one may be cut off
        count = min(len(lines), size // (4 * dimension))
        if not count:
            return None
        pairs = [line.split(" ", 1) for line in lines[:count]]
        vectors = np.memmap(folder / VECTORS, np.float32, "r", shape=(count, dimension))
        return cls(np.array([int(pair[0]) for pair in pairs], np.int64), [pair[1] for pair in pairs], vectors)

    def find(self, image_id: int, mark: str) -> NDArray[np.float32] | None:
        """The vector ``[D]`` of an image, if it was made from what ``mark`` says."""
        row = int(np.searchsorted(self.ids, image_id))
        if row < len(self.ids) and int(self.ids[row]) == image_id and self.marks[row] == mark:
            found: NDArray[np.float32] = self.vectors[row]
            return found
        return None


def first_found(known: Iterable[Known], image_id: int, mark: str) -> NDArray[np.float32] | None:
    """The first vector that one of ``known`` has."""
    return next((found for each in known if (found := each.find(image_id, mark)) is not None), None)
