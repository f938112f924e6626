"""An increment: the served version is read, rows leave and enter, and the result is verified and served."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass

import numpy as np

from include.errors import InputError
from include.faiss_index.assembly import DEFAULTS, Accept, Filled, History, Options, Stopwatch, assemble
from include.faiss_index.engine import remove, threads
from include.faiss_index.filling import Filling, Progress, spilling
from include.faiss_index.ids import NONE, Ids, places, without
from include.faiss_index.manifest import Origin, RowCounts
from include.faiss_index.opened import OpenIndex
from include.faiss_index.truth import Truth
from include.faiss_index.version import Version
from include.faiss_index.versions import Alone
from include.generations.vectors import VectorRows


@dataclass(frozen=True)
class Base:
    """The served version, which an increment starts from; it is being read while its user looks for changed rows."""

    version: Version
    _opening: Future[tuple[OpenIndex, Truth]]

    def opened(self) -> tuple[OpenIndex, Truth]:
        """The index in memory, every byte checked. May be changed, so it can be used once.

        Raises:
            ContractError: a file is damaged: ``repair`` goes back to the version before.
        """
        return self._opening.result()


def begin(alone: Alone) -> Base:
    """Start to read the served version.

    Raises:
        InputError: none is served yet.
        ContractError: its manifest is missing or damaged.
    """
    version = alone.folder.current()
    if version is None:
        msg = f"There is no index in {alone.folder.root} to add to. Run faiss_rebuild (or faiss_train and faiss_build)."
        raise InputError(msg)
    pool = ThreadPoolExecutor(max_workers=1)
    opening = pool.submit(lambda: (version.open(check=True), version.truth()))
    pool.shutdown(wait=False)
    return Base(version, opening)


def increment(
    alone: Alone,
    base: Base,
    upserts: Iterable[VectorRows],
    removals: Ids,
    origin: Origin,
    *,
    unusable: Callable[[], Ids] = lambda: NONE,
    options: Options = DEFAULTS,
    progress: Progress | None = None,
    accept: Accept = lambda _: None,
) -> Version:
    """Take out ``removals``, put in ``upserts`` in place of what they were, verify, serve; return the new version.

    Args:
        alone: The right to change the index: ``with folder.alone("faiss_daily_increment") as alone``.
        base: From :func:`begin`, under the same right.
        upserts: New and changed rows, each once.
        removals: Ids that are to leave; those that are not there are counted as absent.
        origin: What the rows are, for the manifest.
        unusable: Asked once all of ``upserts`` are read: ids that are to leave, too, since their rows cannot be used.
        options: Floors, threads.
        progress: Told how many rows have been added.
        accept: Told how many rows the version holds, before it is served; what it raises prevents that.

    Raises:
        ContractError: a row cannot be indexed or comes twice, or the served version is damaged.
        GateFailed: the version did not pass its check; what was served stays served.
        SetupError: no space is left.
    """
    watch, parent = Stopwatch(), base.version
    recipe = parent.manifest.recipe
    with alone.building(origin.key) as building, threads(options.threads):
        with watch.stage("read"):
            opened, truth = base.opened()
        with watch.stage("remove"):
            gone = _gone(opened, removals)
            remove(opened.index, gone)
        with watch.stage("add"), spilling(building, recipe) as spill:
            left = without(opened.ids, gone)
            filling = Filling(opened.index, recipe.dimension, truth.without(gone), left, spill)
            filling.take(upserts, progress)
            spoilt = filling.drop(unusable())
            left = filling.before
            ids = filling.ids()
            refined = spill.merge(building, ids, opened.ids, opened.rows) if spill else None
        counts = RowCounts(
            before=len(opened.ids),
            deleted=len(gone) + len(spoilt),
            updated=filling.updated,
            new=len(ids) - len(left),
            absent=len(np.unique(removals)) - len(gone),
        )
        filled = Filled(opened.index, ids, filling.truth, filling.sample(), recipe, counts, refined)
        history = History("increment", origin, parent.manifest.training, parent, parent.manifest.quality_at_build)
        return assemble(alone.folder, building, filled, history, options=options, watch=watch, accept=accept)


def _gone(opened: OpenIndex, removals: Ids) -> Ids:
    """Those of ``removals`` that are in the index."""
    wanted = np.unique(removals)
    gone: Ids = wanted[places(wanted, opened.ids)[0]]
    return gone
