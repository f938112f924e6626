"""The daily increment of one index type: what has changed in its table since the served version was made.

Changed rows are found by their time of change, from the watermark or the run's interval, whichever is earlier, less an
overlap. What no window of time finds is found by comparing ids: rows that were committed late, and rows that are gone.
So any order of runs, and any run again, end with the ids that one build would have.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from datetime import timedelta
from itertools import chain
from typing import Any

import numpy as np

from include.catalog.index_types import IndexType
from include.faiss_index.ids import Ids, places
from include.faiss_index.increment import Base
from include.faiss_index.increment import increment as apply
from include.faiss_index.repair import Repair
from include.faiss_index.unchanged import Stored
from include.faiss_index.version import Version
from include.faiss_index.versions import Alone
from include.generations.run import Run
from include.generations.vectors import VectorRows
from include.music_index.build import last_of, origin
from include.music_index.folders import BAD_ROWS, index_folder
from include.music_index.interval import Interval, interval_of
from include.music_index.parameters import FaissIncrementParameters
from include.music_index.served import begun, whole
from include.music_index.set_aside import setting_aside
from include.music_index.summary import PUBLISHED, UNCHANGED, summary
from include.music_index.table_rows import Balance, Reading, Snapshot, absent
from include.music_index.version_options import options
from include.mysql.embedding_table import EmbeddingTable, open_embedding_table
from include.settings import Settings

log = logging.getLogger(__name__)

PURPOSE = "faiss_daily_increment"


def increment(kind: IndexType, parameters: FaissIncrementParameters, run: Run, settings: Settings) -> dict[str, Any]:
    """Bring the index of ``kind`` up to the run's date and serve it; a run again that finds nothing new serves nothing.

    A served version whose bytes have changed is given up for the one before it, and the run goes on from there.

    Raises:
        InputError: there is no index yet, or the table or a column is missing.
        GateFailed: the version did not pass its check, or is much smaller; what was served stays served.
        ContractError: no version is whole.
        Busy: another process is changing this index.
        ServiceUnavailable: MySQL does not answer.
        SetupError: no space is left.
    """
    began = time.monotonic()
    interval = interval_of(run, parameters.date)
    with index_folder(kind, settings, parameters.output).alone(PURPOSE) as alone:
        base, repaired = begun(alone)
        with open_embedding_table(settings, kind) as table:
            snapshot = Snapshot.of(table, interval.until)  # while the index is read
            base, repaired = whole(alone, base, repaired)
            sized = replace(table, dimension=base.version.manifest.recipe.dimension)
            seconds = {"look": round(time.monotonic() - began, 4)}
            work = _Increment(kind, parameters, run, settings, interval, alone, sized, snapshot, base)
            version, found = work.done(repaired)
    stages = version.manifest.seconds if found["outcome"] == PUBLISHED else {}
    return found | {"seconds": seconds | stages | {"wall": round(time.monotonic() - began, 4)}}


@dataclass(frozen=True)
class _Increment:
    """All that one increment works with."""

    kind: IndexType
    parameters: FaissIncrementParameters
    run: Run
    settings: Settings
    interval: Interval
    alone: Alone
    table: EmbeddingTable
    snapshot: Snapshot
    base: Base

    def done(self, repaired: Repair | None) -> tuple[Version, dict[str, Any]]:
        """Find what has changed, put it in, serve it; the served version and the figures."""
        opened, _ = self.base.opened()
        before = np.array(opened.ids)
        gone, missing = absent(before, self.snapshot.live), absent(self.snapshot.due, before)
        with setting_aside(self.alone.folder.root / BAD_ROWS, self.table.table) as aside:
            reading = Reading(aside)
            balance = Balance(self.snapshot, reading, asked=missing, before=before, table=self.table.table)
            rows = self._changed(reading, missing)
            first = next(rows, None)
            nothing = first is None and not len(gone) and not places(aside.ids(), before)[0].any()
            version = self.base.version
            outcome = UNCHANGED
            if not nothing or self._is_due():
                upserts = chain([first] if first else [], rows)
                version, outcome = self._served(upserts, gone, aside.ids, balance), PUBLISHED
            elif self.run.repeats and version.manifest.origin.key == self.run.key:
                outcome = PUBLISHED  # by this run, before it was interrupted
            counts = balance.struck(version.manifest.ntotal)
        found = summary(self.kind.name, version, outcome, counts, aside, repaired=repaired)
        return version, found | {"changes": _changes(version, outcome, reading.good())}

    def _changed(self, reading: Reading, missing: Ids) -> Iterator[VectorRows]:
        """Rows that the index lacks or holds otherwise, page by page; none of the pages is empty."""
        manifest = self.base.version.manifest
        since = self.interval.since(manifest.origin.watermark, timedelta(hours=self.parameters.overlap_hours))
        log.info("%s: changes from %s to %s", self.table.table, since, self.interval.until)
        stored = Stored(self.base.opened()[0], manifest.recipe)
        for rows in reading.take(self.table.changed(since, self.interval.until)):
            yield from _new(rows, stored)
        late = absent(missing, reading.seen())
        if len(late):
            log.info("%s: %d rows that no window of time finds are looked up", self.table.table, len(late))
        for rows in reading.take(self.table.rows_of(late)):
            yield from _new(rows, stored)

    def _is_due(self) -> bool:
        """Whether a version is made though no row has changed: it is the first up to this time, or asked for."""
        watermark = self.base.version.manifest.origin.watermark
        return self.parameters.force or watermark is None or self.interval.until > watermark

    def _served(
        self, upserts: Iterator[VectorRows], gone: Ids, unusable: Callable[[], Ids], balance: Balance
    ) -> Version:
        watermark = self.interval.watermark(self.base.version.manifest.origin.watermark)
        last_id = last_of(self.snapshot.due)
        return apply(
            self.alone,
            self.base,
            upserts,
            gone,
            origin(self.run, self.interval, self.table, watermark=watermark, last_id=last_id),
            unusable=unusable,
            options=options(self.kind, self.settings, self.parameters.min_share, force=self.parameters.force),
            accept=balance.struck,
        )


def _new(rows: VectorRows, stored: Stored) -> Iterator[VectorRows]:
    """Those of ``rows`` that the index does not hold just so, if there are any."""
    new = ~stored.same(rows)
    if new.any():
        yield VectorRows(rows.ids[new], rows.vectors[new])


def _changes(version: Version, outcome: str, good: Ids) -> dict[str, int]:
    """New, updated and deleted rows; of those read, how many were as they are in the index already."""
    if outcome == UNCHANGED:
        return {"new": 0, "updated": 0, "deleted": 0, "unchanged": len(good)}
    counts = version.manifest.counts
    same = len(good) - counts.new - counts.updated
    return {"new": counts.new, "updated": counts.updated, "deleted": counts.deleted, "unchanged": same}
