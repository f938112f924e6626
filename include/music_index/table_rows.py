"""A table at one moment, and what became of each of its rows."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import KW_ONLY, dataclass, field
from datetime import datetime

import numpy as np

from include.faiss_index.ids import NONE, Ids, places, united
from include.generations.counts import Counts
from include.generations.vectors import VectorRows
from include.music_index.set_aside import SetAside
from include.mysql.embedding_table import EmbeddingTable, Page


@dataclass(frozen=True)
class Snapshot:
    """The ids of a table's live rows, ascending."""

    live: Ids
    later: Ids  # of these, what was changed too late to belong to the run

    @classmethod
    def of(cls, table: EmbeddingTable, until: datetime) -> Snapshot:
        """The rows now. The late ones are looked up last, so that none that comes meanwhile is taken for due."""
        live = table.live_ids()
        return cls(live, table.ids_changed_from(until))

    @property
    def due(self) -> Ids:
        """Live rows that belong to the run."""
        return absent(self.live, self.later) if len(self.later) else self.live


@dataclass
class Reading:
    """Pages on their way into an index; bad rows are set aside, and all ids are remembered."""

    aside: SetAside
    _good: list[Ids] = field(default_factory=list)

    def take(self, pages: Iterable[Page]) -> Iterator[VectorRows]:
        """The good rows of each page."""
        for page in pages:
            self.aside.add(page.bad)
            self._good.append(page.rows.ids)
            yield page.rows

    def good(self) -> Ids:
        """Ids of the good rows so far, ascending."""
        return np.sort(np.concatenate([NONE, *self._good]))

    def seen(self) -> Ids:
        """Ids of all rows so far, ascending."""
        return np.sort(np.concatenate([NONE, *self._good, self.aside.ids()]))


def absent(wanted: Ids, ascending: Ids) -> Ids:
    """Those of ``wanted`` that are not in ``ascending``."""
    missing: Ids = wanted[~places(wanted, ascending)[0]]
    return missing


@dataclass(frozen=True)
class Balance:
    """What a run will have to account for, once it knows how many rows it has written."""

    snapshot: Snapshot
    reading: Reading
    _: KW_ONLY
    asked: Ids
    before: Ids
    table: str

    def struck(self, written: int) -> Counts:
        """See :func:`accounted`; ContractError when the rows do not add up."""
        return accounted(
            self.snapshot, self.reading, asked=self.asked, before=self.before, written=written, table=self.table
        )


def accounted(snapshot: Snapshot, reading: Reading, *, asked: Ids, before: Ids, written: int, table: str) -> Counts:
    """What became of each live row: written rows, those set aside by reason, those left for a later run.

    Args:
        snapshot: The table when the run began.
        reading: What was read since.
        asked: Ids that were asked for one by one, all of them in ``snapshot``.
        before: Ids in the index before.
        written: Rows in the index now.
        table: To name in messages.

    Raises:
        ContractError: they do not add up.
    """
    seen = reading.seen()
    unread = absent(snapshot.live[places(snapshot.live, snapshot.later)[0]], seen) if len(snapshot.later) else NONE
    skipped = {
        **reading.aside.reasons,
        "not due": len(absent(unread, before)),
        "deleted meanwhile": len(absent(asked, seen)),
    }
    counts = Counts(
        read=len(united(snapshot.live, seen)),
        written=written,
        skipped={reason: count for reason, count in skipped.items() if count},
    )
    return counts.check(f"the rows of {table}")
