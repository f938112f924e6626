"""A version in memory, ready to be searched."""

from __future__ import annotations

import threading
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Self

import numpy as np

from include.errors import ContractError, InputError
from include.faiss_index import refine
from include.faiss_index.engine import Index, Vectors, library, read_index
from include.faiss_index.ids import Ids
from include.faiss_index.manifest import IDS, INDEX, Manifest
from include.faiss_index.recipe import Recipe
from include.faiss_index.storage import FileDigest, storage_faults
from include.generations.vectors import have_direction, scaled


@dataclass
class OpenIndex:
    """An index and what belongs to it. Searches may run in several threads; a change must be alone."""

    index: Index
    ids: Ids  # [N] ascending
    dimension: int
    rows: refine.Half | None = None  # [N, D] in the order of ids, for a kind with a refine step
    refine_factor: int = 0
    _direct: threading.Lock = field(default_factory=threading.Lock)

    @classmethod
    def of(cls, index: Index, ids: Ids, recipe: Recipe, folder: Path) -> Self:
        """``index`` with the refine rows in ``folder``, if its kind has them."""
        rows = refine.mapped(folder / refine.REFINE, len(ids), recipe.dimension) if recipe.refine_factor else None
        return cls(index, ids, recipe.dimension, rows, recipe.refine_factor)

    def search(self, queries: Vectors, k: int) -> tuple[Vectors, Ids]:
        """Cosines and ids ``[Q, k]`` of the nearest rows of ``queries [Q, D]``, best first; −1 where there are fewer.

        Raises:
            InputError: the queries have another dimension, hold NaN, infinity or only zeros, or ``k`` is less than 1.
        """
        asked = _unit_queries(queries, self.dimension)
        if k < 1:
            msg = f"k is {k}; ask for at least 1."
            raise InputError(msg)
        if self.rows is None:
            return self._found(asked, k)
        _, candidates = self._found(asked, k * self.refine_factor)
        return refine.rescored(asked, candidates, self.ids, self.rows, k)

    def reconstruct(self, ids: Ids) -> Vectors:
        """``[N, D]`` the vectors of ``ids``, as far as the index remembers them.

        Raises:
            InputError: one is not in the index.
        """
        wanted = np.asarray(ids, np.int64).reshape(-1)
        missing = wanted[~np.isin(wanted, self.ids)]
        if len(missing):
            msg = f"{len(missing)} of {len(wanted)} ids are not in the index; the first is {int(missing[0])}."
            raise InputError(msg)
        if self.rows is not None:
            return self.rows[np.searchsorted(self.ids, wanted)].astype(np.float32)
        with self._direct:  # made once, takes 50 bytes a row
            faiss = library()
            if hasattr(self.index, "direct_map") and self.index.direct_map.type == faiss.DirectMap.NoMap:
                self.index.set_direct_map_type(faiss.DirectMap.Hashtable)
        return (
            np.stack([self.index.reconstruct(int(each)) for each in wanted]) if len(wanted) else _none(self.dimension)
        )

    def _found(self, queries: Vectors, k: int) -> tuple[Vectors, Ids]:
        found: tuple[Vectors, Ids] = self.index.search(queries, k)
        return found


def open_index(folder: Path, manifest: Manifest, *, check: bool, mapped: bool = False) -> OpenIndex:
    """The version in ``folder``; ``check`` compares every byte with the manifest, beside the reading.

    Raises:
        ContractError: a file is missing, damaged, or differs from the manifest.
    """
    with ThreadPoolExecutor(max_workers=2) as pool:  # FAISS and hashlib let other threads run
        checking = pool.submit(check_files, folder, manifest) if check else None
        reading = pool.submit(read_index, folder / INDEX, mapped=mapped)
        if checking is not None:
            checking.result()  # first: it says more clearly what is wrong
        index = reading.result()
    ids = read_ids(folder)
    if index.ntotal != manifest.ntotal or len(ids) != manifest.ntotal:
        msg = (
            f"{folder} holds {index.ntotal} rows and {len(ids)} ids; {manifest.ntotal} are expected. Run faiss_rebuild."
        )
        raise ContractError(msg)
    return OpenIndex.of(index, ids, manifest.recipe, folder)


def check_files(folder: Path, manifest: Manifest) -> None:
    """Read all files of a version.

    Raises:
        ContractError: one is missing, or its bytes are not those that were written.
    """
    for name, entry in manifest.files.items():
        with storage_faults(folder / name):
            found = FileDigest.of(folder / name)
        if (found.bytes, found.sha256) != (entry.bytes, entry.sha256):
            msg = (
                f"{folder / name} has changed since it was written: {found.bytes} bytes, SHA-256 {found.sha256[:12]}…; "
                f"expected {entry.bytes} bytes, {entry.sha256[:12]}…. Roll back, or run faiss_rebuild."
            )
            raise ContractError(msg)


def read_ids(folder: Path) -> Ids:
    """The ids of the version in ``folder``, ascending.

    Raises:
        ContractError: the file is missing or damaged.
    """
    path = folder / IDS
    try:
        with storage_faults(path):
            ids: Ids = np.load(path, mmap_mode="r")
    except (ValueError, EOFError) as error:
        msg = f"{path} is damaged ({error}). Roll back, or run faiss_rebuild."
        raise ContractError(msg) from error
    return ids


def _unit_queries(queries: Any, dimension: int) -> Vectors:
    array = np.ascontiguousarray(queries, np.float32)
    if array.ndim != 2 or array.shape[1] != dimension:
        msg = f"The queries have shape {array.shape}; the index takes [any number, {dimension}]."
        raise InputError(msg)
    good = have_direction(array)
    if not good.all():
        msg = f"Query {int(np.argmin(good))} holds NaN, infinity or only zeros."
        raise InputError(msg)
    return scaled(array)


def _none(dimension: int) -> Vectors:
    return np.empty((0, dimension), np.float32)
