"""A full build: a trained index is filled with all rows of a table, verified and served."""

from __future__ import annotations

from collections.abc import Iterable

from include.faiss_index.assembly import DEFAULTS, Accept, Companions, Filled, History, Options, Stopwatch, assemble
from include.faiss_index.engine import threads
from include.faiss_index.filling import Filling, Progress, spilling
from include.faiss_index.ids import NONE
from include.faiss_index.manifest import Origin, RowCounts
from include.faiss_index.opened import OpenIndex
from include.faiss_index.probing import settled
from include.faiss_index.training import Trained
from include.faiss_index.truth import Truth
from include.faiss_index.version import Version
from include.faiss_index.versions import Alone
from include.generations.vectors import VectorRows


def build(
    alone: Alone,
    trained: Trained,
    rows: Iterable[VectorRows],
    origin: Origin,
    *,
    options: Options = DEFAULTS,
    progress: Progress | None = None,
    accept: Accept = lambda _: None,
    companions: Companions = lambda _folder, _ids: {},
) -> Version:
    """Fill, verify, serve; return the new version. Needs nothing of the versions before, which may be damaged.

    Args:
        alone: The right to change the index: ``with folder.alone("faiss_build") as alone``.
        trained: What to fill.
        rows: All usable rows of the table, each once, in any order; read page by page.
        origin: What the rows are, for the manifest.
        options: Floors, threads.
        progress: Told how many rows have been added.
        accept: Told how many rows the version holds, before it is served; what it raises prevents that.
        companions: Writes further files of the version.

    Raises:
        ContractError: a row cannot be indexed or comes twice.
        GateFailed: the version did not pass its check; what was served stays served.
        SetupError: no space is left.
    """
    watch = Stopwatch({"train": trained.seconds})
    parent = alone.folder.served_if_whole()
    recipe = trained.recipe
    with alone.building(origin.key) as building, threads(options.threads):
        with watch.stage("add"), spilling(building, recipe) as spill:
            filling = Filling(trained.empty_index(), recipe.dimension, Truth.begin(trained.queries), NONE, spill)
            filling.take(rows, progress)
            ids = filling.ids()
            refined = spill.merge(building, ids, NONE, None) if spill else None
        with watch.stage("probe"):
            opened = OpenIndex.of(filling.index, ids, recipe, building)
            recipe = settled(recipe, opened, filling.truth)
        counts = RowCounts(before=0, deleted=0, updated=0, new=len(ids))
        filled = Filled(filling.index, ids, filling.truth, filling.sample(), recipe, counts, refined)
        history = History("build", origin, trained.figures, parent, None)
        return assemble(
            alone.folder, building, filled, history, options=options, watch=watch, accept=accept, companions=companions
        )
