"""FAISS itself: loaded when it is needed, its threads bounded, its failures in this project's words.

The library is imported inside a function, since it takes 0.3 s and starts a pool of threads.
"""

from __future__ import annotations

import logging
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from include.errors import ContractError
from include.faiss_index.ids import NONE, Ids
from include.faiss_index.storage import FileDigest, hashed_file, storage_faults

Vectors = NDArray[np.float32]
Index = Any  # faiss.Index: the package has no types


def library() -> Any:
    """The ``faiss`` module."""
    logging.getLogger("faiss.loader").setLevel(logging.WARNING)  # it lists what it could not load
    import faiss

    return faiss


@contextmanager
def threads(count: int) -> Iterator[None]:
    """Let FAISS use ``count`` threads for calls from this thread; 0 leaves its own choice, which is all cores."""
    faiss = library()
    before = faiss.omp_get_max_threads()
    if count:
        faiss.omp_set_num_threads(count)
    try:
        yield
    finally:
        faiss.omp_set_num_threads(before)


def read_index(path: Path, *, mapped: bool = False) -> Index:
    """The index in ``path``; ``mapped`` leaves the lists of an IVF index on disk, to be searched only.

    Raises:
        ContractError: it is missing, or no whole index.
        AccessDenied: it cannot be read by this user.
    """
    faiss = library()
    with storage_faults(path), path.open("rb"):
        pass
    try:
        return faiss.read_index(str(path), faiss.IO_FLAG_MMAP | faiss.IO_FLAG_READ_ONLY if mapped else 0)
    except RuntimeError as error:
        msg = f"{path} is no whole FAISS index ({_reason(error)}). Run faiss_rebuild, or roll back."
        raise ContractError(msg) from error


def write_index(index: Index, path: Path) -> FileDigest:
    """Write ``index`` to the new file ``path``; what it holds is hashed on the way.

    FAISS would write the file itself, but it only prints what fails at closing, such as a full disk.

    Raises:
        SetupError: no space is left.
    """
    faiss = library()
    with hashed_file(path) as file:
        faiss.write_index(index, faiss.PyCallbackIOWriter(file.write))
    return file.digest


def stored_ids(index: Index) -> Ids:
    """The ids in ``index``, ascending; an id that is there twice is listed twice."""
    faiss = library()
    if isinstance(index, faiss.IndexIDMap2):
        return np.sort(faiss.vector_to_array(index.id_map))
    lists = index.invlists
    sizes = [lists.list_size(number) for number in range(index.nlist)]
    parts = [faiss.rev_swig_ptr(lists.get_ids(number), size).copy() for number, size in enumerate(sizes) if size]
    return np.sort(np.concatenate([NONE, *parts]))


def remove(index: Index, ids: Ids) -> int:
    """Take ``ids`` out; return how many rows that were. Ids that are not there are passed over."""
    return int(index.remove_ids(np.ascontiguousarray(ids, np.int64))) if len(ids) else 0


def imbalance(index: Index) -> float | None:
    """How unequal the lists of an IVF index are: 1 is even, and the work of a search grows by it; ``None`` if flat."""
    return float(index.invlists.imbalance_factor()) if hasattr(index, "invlists") and index.ntotal else None


def quantisation_error(index: Index, vectors: Vectors) -> float | None:
    """Mean squared distance of unit ``vectors [N, D]`` to the centroid of their list; ``None`` if flat or no rows."""
    if not hasattr(index, "quantizer") or not len(vectors):
        return None
    cosines, _ = index.quantizer.search(vectors, 1)
    return float(np.mean(2 - 2 * cosines))


def _reason(error: RuntimeError) -> str:
    """The engine's own words without the place in its source."""
    return str(error).rsplit("Error: ", 1)[-1].strip()[:200]
