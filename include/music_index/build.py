"""A full build of one index type: its training is filled with every row of the table."""

from __future__ import annotations

import logging
import time
from collections.abc import Iterator
from datetime import datetime
from typing import Any

import numpy as np

from include.catalog.index_types import IndexType
from include.errors import ContractError, InputError
from include.faiss_index.build import build as build_index
from include.faiss_index.ids import NONE, Ids, places, united
from include.faiss_index.manifest import Origin
from include.faiss_index.training import Trained
from include.faiss_index.versions import Alone, IndexFolder
from include.generations.run import Run
from include.generations.vectors import VectorRows
from include.music_index.folders import BAD_ROWS, index_folder, training_input
from include.music_index.interval import Interval, interval_of
from include.music_index.parameters import FaissBuildParameters
from include.music_index.set_aside import setting_aside
from include.music_index.summary import PUBLISHED, summary
from include.music_index.table_rows import Balance, Reading, Snapshot, absent
from include.music_index.train import sized
from include.music_index.version_options import options
from include.mysql.embedding_table import EmbeddingTable, open_embedding_table
from include.settings import Settings

log = logging.getLogger(__name__)


def build(kind: IndexType, parameters: FaissBuildParameters, run: Run, settings: Settings) -> dict[str, Any]:
    """Fill the trained index of ``kind`` with all rows that were changed before the run's date, and serve it.

    Raises:
        InputError: there is no training, it has another dimension, the table or a column is missing, or the run is
            for an earlier moment than what is served.
        GateFailed: the version did not pass its check; what was served stays served.
        Busy: another process is changing this index.
        ServiceUnavailable: MySQL does not answer.
        SetupError: no space is left.
    """
    kind = sized(kind, parameters.dimension)
    trained = Trained.load(training_input(kind, settings, parameters.input))
    if trained.recipe.dimension != kind.dimension:
        msg = (
            f"The training of {kind.name} has {trained.recipe.dimension} dimensions, {kind.dimension} are asked for: "
            "give that dimension, or run faiss_train again."
        )
        raise InputError(msg)
    folder = index_folder(kind, settings, parameters.output)
    with folder.alone("faiss_build") as alone, open_embedding_table(settings, kind) as table:
        check_not_back(folder, run, force=parameters.force)
        return filled(kind, alone, table, trained, run=run, settings=settings, min_share=parameters.min_share)


def check_not_back(folder: IndexFolder, run: Run, *, force: bool) -> None:
    """Let an old run that is started again not put the index back to its own time.

    Raises:
        InputError: what is served goes up to a later moment than ``run`` is for.
    """
    served, until = folder.served_if_whole(), interval_of(run).until
    watermark = served.manifest.origin.watermark if served else None
    if served and watermark and until < watermark and not force:
        msg = (
            f"The run is for {until:%Y-%m-%d %H:%M %Z}, and {served.name} has all changes up to "
            f"{watermark.astimezone(until.tzinfo):%Y-%m-%d %H:%M %Z} already. Start a new run, or, when that is meant, "
            "this one again with force."
        )
        raise InputError(msg)


def filled(
    kind: IndexType,
    alone: Alone,
    table: EmbeddingTable,
    trained: Trained,
    *,
    run: Run,
    settings: Settings,
    min_share: float,
) -> dict[str, Any]:
    """Fill, verify, serve; return the figures."""
    began = time.monotonic()
    interval, folder = interval_of(run), alone.folder
    snapshot = Snapshot.of(table, interval.until)
    asked = united(snapshot.due, _served_later(folder, snapshot))
    with setting_aside(folder.root / BAD_ROWS, table.table) as aside:
        reading = Reading(aside)
        balance = Balance(snapshot, reading, asked=asked, before=NONE, table=table.table)
        version = build_index(
            alone,
            trained,
            _rows(table, interval, asked, reading),
            origin(run, interval, table, watermark=interval.until, last_id=last_of(snapshot.due)),
            options=options(kind, settings, min_share),
            accept=balance.struck,
        )
        found = summary(kind.name, version, PUBLISHED, balance.struck(version.manifest.ntotal), aside)
    return found | {"seconds": version.manifest.seconds | {"wall": round(time.monotonic() - began, 2)}}


def _served_later(folder: IndexFolder, snapshot: Snapshot) -> Ids:
    """Rows that were touched after the run's moment and are served already: they stay, as in an increment."""
    served = folder.served_if_whole()
    try:
        ids = np.array(served.ids()) if served else NONE
    except ContractError as error:  # a rebuild from ruins
        log.warning("%s", error)
        ids = NONE
    later: Ids = snapshot.later[places(snapshot.later, ids)[0] & places(snapshot.later, snapshot.live)[0]]
    return later


def _rows(table: EmbeddingTable, interval: Interval, asked: Ids, reading: Reading) -> Iterator[VectorRows]:
    """All rows of before the run's moment, then those of ``asked`` that were changed while these were read."""
    yield from reading.take(table.pages(interval.until))
    changed = absent(asked, reading.seen())
    if len(changed):
        log.info("%s: %d rows that were changed later are looked up", table.table, len(changed))
    yield from reading.take(table.rows_of(changed))


def origin(run: Run, interval: Interval, table: EmbeddingTable, *, watermark: datetime, last_id: int) -> Origin:
    """Which rows a version holds."""
    return Origin(
        key=run.key,
        day=interval.day,
        table=table.table,
        watermark=watermark,
        watermark_id=last_id,
        interval_start=interval.start,
        interval_end=interval.until,
    )


def last_of(ids: Ids) -> int:
    """The greatest of the ascending ``ids``; 0 when there is none."""
    return int(ids[-1]) if len(ids) else 0
