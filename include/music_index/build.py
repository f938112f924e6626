"""A full build of one index type: its training is filled with every row of the table."""

from __future__ import annotations

import logging
import time
from datetime import datetime
from typing import Any

from include.catalog.index_types import IndexType
from include.errors import InputError
from include.faiss_index.build import build as build_index
from include.faiss_index.ids import NONE, Ids
from include.faiss_index.manifest import Origin
from include.faiss_index.training import Trained
from include.faiss_index.versions import Alone
from include.generations.run import Run
from include.music_index.folders import BAD_ROWS, index_folder, training_folder
from include.music_index.interval import Interval, interval_of
from include.music_index.parameters import FaissBuildParameters
from include.music_index.set_aside import setting_aside
from include.music_index.summary import PUBLISHED, summary
from include.music_index.table_rows import Reading, Snapshot, accounted
from include.music_index.train import sized
from include.music_index.version_options import options
from include.mysql.embedding_table import EmbeddingTable, open_embedding_table
from include.settings import Settings

log = logging.getLogger(__name__)


def build(kind: IndexType, parameters: FaissBuildParameters, run: Run, settings: Settings) -> dict[str, Any]:
    """Fill the trained index of ``kind`` with all rows that were changed before the run's date, and serve it.

    Raises:
        InputError: there is no training, it has another dimension, or the table or a column is missing.
        GateFailed: the version did not pass its check; what was served stays served.
        Busy: another process is changing this index.
        ServiceUnavailable: MySQL does not answer.
        SetupError: no space is left.
    """
    kind = sized(kind, parameters.dimension)
    trained = Trained.load(training_folder(kind, settings, parameters.input))
    if trained.recipe.dimension != kind.dimension:
        msg = (
            f"The training of {kind.name} has {trained.recipe.dimension} dimensions, {kind.dimension} are asked for: "
            "give that dimension, or run faiss_train again."
        )
        raise InputError(msg)
    folder = index_folder(kind, settings, parameters.output)
    with folder.alone("faiss_build") as alone, open_embedding_table(settings, kind) as table:
        return filled(kind, alone, table, trained, run=run, settings=settings, min_share=parameters.min_share)


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
    with setting_aside(folder.root / BAD_ROWS, table.table) as aside:
        reading = Reading(aside)
        version = build_index(
            alone,
            trained,
            reading.take(table.pages(interval.until)),
            origin(run, interval, table, watermark=interval.until, last_id=last_of(snapshot.due)),
            options=options(kind, settings, min_share),
        )
        counts = accounted(
            snapshot, reading, asked=snapshot.due, before=NONE, written=version.manifest.ntotal, table=table.table
        )
        found = summary(kind.name, version, PUBLISHED, counts, aside)
    return found | {"seconds": version.manifest.seconds | {"wall": round(time.monotonic() - began, 2)}}


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
