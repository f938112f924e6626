"""What each image of a version was made from, so that the next build need not embed it again."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any, Self

import numpy as np
import orjson
from numpy.typing import NDArray

from include.errors import ContractError
from include.faiss_index.storage import FileDigest, hashed_file, storage_faults

SOURCES = "sources.json"
EMBEDDINGS = "embeddings.npy"


@dataclass(frozen=True)
class Sources:
    """The model of a version, and the mark of each image's content, in the order of the ids."""

    model: str
    fingerprint: str  # of the model
    marks: list[str]

    def write(self, folder: Path) -> FileDigest:
        """Write the file of the version in ``folder``."""
        with hashed_file(folder / SOURCES) as file:
            file.write(orjson.dumps({"model": self.model, "fingerprint": self.fingerprint, "marks": self.marks}))
        return file.digest

    @classmethod
    def read(cls, folder: Path) -> Self:
        """The file of the version in ``folder``.

        Raises:
            ContractError: it is missing or damaged.
        """
        path = folder / SOURCES
        try:
            with storage_faults(path):
                found: dict[str, Any] = orjson.loads(path.read_bytes())
            return cls(found["model"], found["fingerprint"], found["marks"])
        except (ValueError, KeyError, TypeError) as error:
            msg = f"{path} is damaged ({error}). Build the index again, or roll back."
            raise ContractError(msg) from error


def read_embeddings(folder: Path) -> NDArray[np.float32]:
    """``[N, D]`` of the version in ``folder``, in the order of the ids; the file is mapped.

    Raises:
        ContractError: it is missing or damaged.
    """
    path = folder / EMBEDDINGS
    try:
        with storage_faults(path):
            vectors: NDArray[np.float32] = np.load(path, mmap_mode="r")
    except (ValueError, EOFError) as error:
        msg = f"{path} is damaged ({error}). Build the index again, or roll back."
        raise ContractError(msg) from error
    return vectors
