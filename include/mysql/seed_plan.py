"""What happens to a table of vectors over some days, decided by a seed: which rows come, change, go, are late or bad.

Ids ascend with gaps. Some rows of each day are committed only on the next one: their ids and times are of the day
before, as those of a transaction that took long.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from include.catalog.index_types import IndexType
from include.errors import InputError
from include.mysql.clustered import Clusters

DAY_SECONDS = 86_400
MOST_DAYS = 20
STEPS, STEP_WEIGHTS = (1, 2, 5, 60), (0.9, 0.06, 0.035, 0.005)  # from an id to the next
DAY_SHARE = 0.01  # of the table, that comes in a day; as many change, half as many are deleted in either way
DELETED_SHARE = 0.02  # of the first load
LATE_EVERY = 10  # of a day's new rows
BAD_EVERY = 4  # rows of a block, the first four times, each bad in its own way
ROWS_OF_A_SONG = {"lyrics_slide": 3, "lyrics_3_slide": 3}  # windows over its lyrics; one row in the other types

Ids = NDArray[np.int64]
FIRST, NEW, CHANGED, IDS, ORDER, TIMES = range(6)  # what a generator is for


@dataclass(frozen=True)
class Row:
    """A row to write."""

    id: int
    song: str
    vector: bytes | None
    updated: datetime
    deleted: datetime | None = None


@dataclass(frozen=True)
class SoftDeletion:
    """A row that stays and says that it is gone; by half of the writers its time of change moves, too."""

    id: int
    at: datetime
    moves_change: bool


@dataclass(frozen=True)
class Day:
    """What one day does to the table, in this order; done again, it changes nothing."""

    rows: list[Row]  # new, late and changed ones
    soft_deletions: list[SoftDeletion]
    hard_deletions: list[int]  # ids
    late: int  # of the rows
    bad: int  # of the rows

    @property
    def ids(self) -> list[int]:
        """Those of the rows that it touches."""
        return [row.id for row in self.rows] + [gone.id for gone in self.soft_deletions] + self.hard_deletions


@dataclass(frozen=True)
class SeedPlan:
    """The life of one table. ``start`` ends its first load; day k lasts from ``start`` + k - 1 days to + k days."""

    kind: IndexType
    rows: int
    start: datetime
    seed: int = 0
    dimension: int | None = None  # default: the type's own

    @property
    def day_rows(self) -> int:
        """How many rows a day brings, and as many it changes."""
        return max(20, round(self.rows * DAY_SHARE))

    @cached_property
    def songs(self) -> dict[int, str]:
        """The song of each row that the first load or any day may bring, by the row's id."""
        return {number: self._song(at) for at, number in enumerate(self._ids.tolist())}

    def first_load(self, begin: int, end: int) -> list[Row]:
        """Its rows from ``begin`` to ``end``, which is not among them; ``begin`` is a multiple of the same number."""
        positions = np.arange(begin, min(end, self.rows))
        generator = self._random(TIMES, begin)
        updated = [
            self.start - timedelta(seconds=float(s)) for s in generator.uniform(3600, 30 * DAY_SECONDS, len(positions))
        ]
        gone = generator.random(len(positions)) < DELETED_SHARE
        vectors = _encoded(self._clusters.draw(len(positions), FIRST, begin), bad=begin == 0)
        return [
            Row(
                int(self._ids[at]),
                self._song(int(at)),
                vector,
                moment,
                moment + timedelta(minutes=30) if is_gone else None,
            )
            for at, vector, moment, is_gone in zip(positions, vectors, updated, gone, strict=True)
        ]

    def day(self, number: int) -> Day:
        """What day ``number`` does; the first is 1.

        Raises:
            InputError: there is no such day, or the table is too small for so many.
        """
        half = self.day_rows // 2
        width = self.day_rows + 2 * half
        if not 1 <= number <= MOST_DAYS or number * width > self.rows:
            most = min(MOST_DAYS, self.rows // width)
            raise InputError(f"There is no day {number} for {self.rows} rows: give 1 to {most}, or more rows.")
        touched = self._order[(number - 1) * width : number * width]
        changed, soft, hard = np.split(touched, [self.day_rows, self.day_rows + half])
        today, late = self._new_rows(number), []
        if number > 1:
            late = self._new_rows(number - 1)[::LATE_EVERY]
        rows = [row for at, row in enumerate(today) if at % LATE_EVERY] + late + self._changed_rows(number, changed)
        return Day(
            rows=rows,
            soft_deletions=[
                SoftDeletion(int(self._ids[at]), moment, turn % 2 == 0)
                for turn, (at, moment) in enumerate(zip(soft, self._moments(number, len(soft)), strict=True))
            ],
            hard_deletions=[int(self._ids[at]) for at in hard],
            late=len(late),
            bad=sum(is_bad(row.vector, self._clusters.directions.shape[1]) for row in rows),
        )

    def _new_rows(self, number: int) -> list[Row]:
        """All rows of which day ``number`` is the time of change; every tenth is committed a day later."""
        positions = self.rows + (number - 1) * self.day_rows + np.arange(self.day_rows)
        vectors = _encoded(self._clusters.draw(self.day_rows, NEW, number), bad=True)
        return [
            Row(int(self._ids[at]), self._song(int(at)), vector, moment)
            for at, vector, moment in zip(positions, vectors, self._moments(number, self.day_rows), strict=True)
        ]

    def _changed_rows(self, number: int, positions: Ids) -> list[Row]:
        """Rows of the first load with other vectors; some of them turn bad."""
        vectors = _encoded(self._clusters.draw(len(positions), CHANGED, number), bad=True)
        return [
            Row(int(self._ids[at]), self._song(int(at)), vector, moment)
            for at, vector, moment in zip(positions, vectors, self._moments(number, len(positions)), strict=True)
        ]

    def _moments(self, number: int, count: int) -> list[datetime]:
        """Moments of day ``number``, ascending as its ids do."""
        seconds = np.sort(self._random(TIMES, number, count).uniform(0, DAY_SECONDS - 1, count))
        return [self.start + timedelta(days=number - 1, seconds=round(float(s), 3)) for s in seconds]

    def _song(self, position: int) -> str:
        return song_name(int(position) // ROWS_OF_A_SONG.get(self.kind.name, 1))

    @cached_property
    def _clusters(self) -> Clusters:
        return Clusters.of(self.kind.name, self.dimension or self.kind.dimension, self.rows, self.seed)

    @cached_property
    def _ids(self) -> Ids:
        """The ids of the first load, then those of each day's new rows."""
        count = self.rows + MOST_DAYS * self.day_rows
        steps: Ids = self._random(IDS).choice(STEPS, count, p=STEP_WEIGHTS)
        return np.cumsum(steps)

    @cached_property
    def _order(self) -> Ids:
        """The positions of the first load in the order in which days touch them, each at most once."""
        return self._random(ORDER).permutation(self.rows)

    def _random(self, *purpose: int) -> np.random.Generator:
        return np.random.default_rng((*self._clusters.seed, *purpose))


def song_name(number: int) -> str:
    """The id of a song."""
    return f"S{number:09d}"


def is_bad(vector: bytes | None, dimension: int) -> bool:
    """Whether a seeded vector was made to be set aside."""
    if vector is None or len(vector) != 4 * dimension:
        return True
    numbers = np.frombuffer(vector, "<f4")
    return not np.isfinite(numbers).all() or not numbers.any()


def _encoded(vectors: NDArray[np.float32], *, bad: bool) -> Sequence[bytes | None]:
    """Each row as little-endian float32; ``bad``: four of them null, cut short, not finite, zero."""
    encoded: list[bytes | None] = [row.astype("<f4").tobytes() for row in vectors]
    width = vectors.shape[1] * 4
    wrong = (None, b"\0" * (width - 4), np.full(vectors.shape[1], np.nan, "<f4").tobytes(), b"\0" * width)
    places = range(1, len(encoded), BAD_EVERY)[: len(wrong)] if bad else ()
    for place, value in zip(places, wrong, strict=False):
        encoded[place] = value
    return encoded
