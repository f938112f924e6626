"""Rows enter an index: a stream of pages, in batches, each row once, memory bounded by a batch."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from include.faiss_index.engine import Index, remove
from include.faiss_index.ids import Ids, check_unique, places, united, without
from include.faiss_index.recipe import Recipe
from include.faiss_index.refine import Spill
from include.faiss_index.rows import batches, unit
from include.faiss_index.storage import hashed_file
from include.faiss_index.truth import Truth
from include.faiss_index.verify import SELF_SAMPLES
from include.generations.vectors import VectorRows

log = logging.getLogger(__name__)
Progress = Callable[[int], None]  # rows added so far


@dataclass
class Filling:
    """An index that takes rows, with all that must change when it changes."""

    index: Index
    dimension: int
    truth: Truth
    before: Ids  # ascending: the rows that were in it and have not been deleted
    spill: Spill | None = None  # for a kind with a refine step
    added: list[Ids] = field(default_factory=list)
    updated: int = 0
    newest: VectorRows | None = None

    def take(self, pages: Iterable[VectorRows], progress: Progress | None = None) -> None:
        """Put the rows of ``pages`` in, in place of those of the same ids that were there before.

        Raises:
            ContractError: a row cannot be indexed.
        """
        total = 0
        for batch in batches(pages):
            self._add(unit(batch, self.dimension))
            total += len(batch.ids)
            log.info("%d rows added", total)
            if progress:
                progress(total)

    def drop(self, ids: Ids) -> Ids:
        """Take out those of ``ids`` that were in the index before; return them, ascending."""
        wanted = np.unique(ids)
        gone: Ids = wanted[places(wanted, self.before)[0]]
        remove(self.index, gone)
        self.before, self.truth = without(self.before, gone), self.truth.without(gone)
        return gone

    def _add(self, rows: VectorRows) -> None:
        known = rows.ids[places(rows.ids, self.before)[0]]
        self.updated += remove(self.index, known)
        self.index.add_with_ids(rows.vectors, rows.ids)
        self.truth = self.truth.without(known).joined(rows)
        if self.spill:
            self.spill.add(rows)
        self.added.append(rows.ids)
        step = max(1, len(rows.ids) // SELF_SAMPLES)
        self.newest = VectorRows(rows.ids[::step][:SELF_SAMPLES], rows.vectors[::step][:SELF_SAMPLES])

    def ids(self) -> Ids:
        """All ids in the index, ascending.

        Raises:
            ContractError: a row came twice.
        """
        return united(self.before, check_unique(self.added, "The rows"))

    def sample(self) -> VectorRows:
        """Some of the rows that came last; none when none came."""
        none = VectorRows(np.empty(0, np.int64), np.empty((0, self.dimension), np.float32))
        return self.newest or none


@contextmanager
def spilling(folder: Path, recipe: Recipe) -> Iterator[Spill | None]:
    """Where the float16 rows of a kind with a refine step go while the index is filled."""
    if not recipe.refine_factor:
        yield None
        return
    path = folder / "spill.f16"
    with hashed_file(path) as file:
        yield Spill(file, recipe.dimension)
    path.unlink()
