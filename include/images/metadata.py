"""``metadata.json`` of a version: a list, one image a line in the order of the ids; a line is read when asked for."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Self

import numpy as np
import orjson
from numpy.typing import NDArray

from include.errors import ContractError
from include.faiss_index.storage import FileDigest, hashed_file, storage_faults

METADATA = "metadata.json"
NEWLINE = ord("\n")
READ_BYTES = 1 << 24


def write_metadata(folder: Path, lines: Iterable[bytes]) -> FileDigest:
    """Write the file of the version in ``folder``; ``lines`` are JSON objects by ascending ``image_id``."""
    with hashed_file(folder / METADATA) as file:
        file.write(b"[")
        for number, line in enumerate(lines):
            file.write(b",\n" if number else b"\n")
            file.write(line)
        file.write(b"\n]\n")
    return file.digest


def line_of(metadata: dict[str, Any]) -> bytes:
    """One image's line; a line feed inside a text is written as an escape."""
    return orjson.dumps(metadata)


@dataclass(frozen=True)
class Metadata:
    """The file, in memory as it is on disk: a fraction of what parsed objects would take."""

    content: bytes
    starts: NDArray[np.int64]  # [N + 1] where each line begins

    @classmethod
    def read(cls, folder: Path, images: int) -> Self:
        """The file of the version in ``folder``.

        Raises:
            ContractError: it is missing, or has not ``images`` lines.
        """
        path = folder / METADATA
        with storage_faults(path):
            content = path.read_bytes()
        starts = _lines(content)[:-1] + 1  # behind the bracket's line, up to that of the other bracket
        if len(starts) != images + 1:
            msg = f"{path} has {len(starts) - 1} images, the index {images}. Build the index again, or roll back."
            raise ContractError(msg)
        return cls(content, starts)

    def __len__(self) -> int:
        return len(self.starts) - 1

    def line(self, row: int) -> bytes:
        """The image in that row, as JSON."""
        return self.content[self.starts[row] : self.starts[row + 1]].rstrip(b",\n")

    def of(self, row: int) -> dict[str, Any]:
        """The image in that row."""
        found: dict[str, Any] = orjson.loads(self.line(row))
        return found


def _lines(content: bytes) -> NDArray[np.int64]:
    """Where the line feeds are; looked for in pieces, since a mask takes as much memory as what it covers."""
    every = np.frombuffer(content, np.uint8)
    parts = [np.flatnonzero(every[at : at + READ_BYTES] == NEWLINE) + at for at in range(0, len(every), READ_BYTES)]
    return np.concatenate(parts) if parts else np.empty(0, np.int64)
