"""Before work begins, one pass over the input: count, de-duplicate, set aside what is broken, cut into shards.

Each shard's rows are written beside its future output, so that a shard can be done by any process that sees the folder.
"""

from __future__ import annotations

import hashlib
import logging
from collections import Counter
from collections.abc import Iterator
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any, Self

import pyarrow as pa
import pyarrow.parquet as pq

from include.errors import InputError
from include.generations.counts import Counts
from include.generations.files import replacing
from include.sources.files import Source
from include.sources.rows import Row, Unusable

log = logging.getLogger(__name__)

INPUT_SCHEMA = pa.schema([("number", pa.int64()), ("text", pa.string()), ("text_hash", pa.binary(16))])
UNUSABLE = "unusable"  # why broken rows are skipped
HOPELESS_ROWS = 1000  # not UTF-8, and more than half of what was read: reading on is of no use
NOT_UTF8_SHARE = 0.01  # of all rows; above it the file is taken to be in another encoding, not to hold bad rows


@dataclass(frozen=True)
class InputPlan:
    """What the pass over the input found."""

    path: str
    fingerprint: str  # sha256 of the file
    rows: int  # accepted: unique, usable
    shard_rows: int
    counts: Counts  # of the pass itself: `written` is the rows handed on
    unusable: tuple[Unusable, ...] = field(default=())  # the broken ones, for whoever mends the input
    cut_by_limit: bool = False  # the input has rows behind those that `limit` allows: they are not read

    @property
    def shards(self) -> int:
        """How many shards the accepted rows fill."""
        return -(-self.rows // self.shard_rows)

    def as_dict(self) -> dict[str, Any]:
        """Plain values for JSON, without the broken rows."""
        return {**asdict(self), "counts": self.counts.as_dict(), "unusable": []}

    @classmethod
    def from_dict(cls, value: dict[str, Any]) -> Self:
        """The inverse of :meth:`as_dict`."""
        return cls(**{**value, "counts": Counts.from_dict(value["counts"]), "unusable": ()})


def text_digest(text: str) -> bytes:
    """16 bytes of BLAKE2b that stand for a text in the column ``text_hash``: no two of 10^12 texts share them."""
    return hashlib.blake2b(text.encode("utf-8", "surrogatepass"), digest_size=16).digest()


def plan_input(source: Source, folder: Path, *, fingerprint: str, limit: int, shard_rows: int) -> InputPlan:
    """Cut ``source`` into ``folder/00000.parquet …`` of ``shard_rows`` rows; ``limit`` 0 takes all.

    The first of equal texts is taken, the others are counted as ``duplicate``: about 100 bytes of memory for each text
    that is taken, 1 GB for ten million.

    Raises:
        InputError: nothing usable is in the file, or it is not UTF-8.
    """
    walk = _Walk(source, limit)
    for index, rows in enumerate(_batches(walk.accepted(), shard_rows)):
        _write_rows(folder / f"{index:05d}.parquet", rows)
    if walk.not_utf8 > max(1, NOT_UTF8_SHARE * walk.read) or (walk.not_utf8 and not walk.taken):
        walk.refuse_encoding()
    if not walk.taken:
        msg = f"{source.path} has no usable row: {walk.read} read, all blank or broken."
        raise InputError(msg)
    counts = Counts(walk.read, walk.taken, dict(walk.skipped)).check(str(source.path))
    if walk.cut:
        log.warning("%s: limit %d was reached; the rows behind it are not taken. 0 takes all.", source.path, limit)
    return InputPlan(str(source.path), fingerprint, walk.taken, shard_rows, counts, tuple(walk.unusable), walk.cut)


def read_planned(path: Path) -> list[Row]:
    """The rows of one planned shard."""
    table = pq.read_table(path, columns=["number", "text"])
    return [Row(n, t) for n, t in zip(table["number"].to_pylist(), table["text"].to_pylist(), strict=True)]


class _Walk:
    """One pass over a source, counting as it goes."""

    def __init__(self, source: Source, limit: int) -> None:
        self.source, self.limit = source, limit
        self.read = self.taken = self.not_utf8 = 0
        self.first_not_utf8 = -1
        self.cut = False  # rows are left behind the limit
        self.skipped: Counter[str] = Counter()
        self.unusable: list[Unusable] = []

    def accepted(self) -> Iterator[tuple[Row, bytes]]:
        """Usable rows with their hash, each text once."""
        seen: set[bytes] = set()
        numbers: set[int] = set()
        ids = self.source.has_ids
        for row in self.source.rows():
            if self.limit and self.taken == self.limit:
                self.cut = True
                return
            self.read += 1
            if isinstance(row, Unusable):
                self._set_aside(row)
                continue
            digest = text_digest(row.text)
            if digest in seen:
                self.skipped["duplicate"] += 1
                continue
            seen.add(digest)
            if ids:
                self._check_unique(row, numbers)
            self.taken += 1
            yield row, digest

    def _check_unique(self, row: Row, numbers: set[int]) -> None:
        if row.number in numbers:
            msg = (
                f"{self.source.path}: id {row.number} stands twice, again at {row.text[:80]!r}. Give each text its own."
            )
            raise InputError(msg)
        numbers.add(row.number)

    def _set_aside(self, row: Unusable) -> None:
        if row.blank:
            self.skipped["blank"] += 1
            return
        self.unusable.append(row)
        self.skipped[UNUSABLE] += 1
        if row.reason == "not_utf8":
            self.not_utf8 += 1
            if self.first_not_utf8 < 0:
                self.first_not_utf8 = row.number
            if self.not_utf8 > HOPELESS_ROWS and self.not_utf8 > self.read / 2:
                self.refuse_encoding()

    def refuse_encoding(self) -> None:
        """Raise InputError: the file is in another encoding."""
        msg = (
            f"{self.source.path}: {self.not_utf8} of {self.read} rows read are not UTF-8, first row "
            f"{self.first_not_utf8}. Convert the file: iconv -f <its encoding> -t UTF-8."
        )
        raise InputError(msg)


def _batches(rows: Iterator[tuple[Row, bytes]], size: int) -> Iterator[list[tuple[Row, bytes]]]:
    batch: list[tuple[Row, bytes]] = []
    for row in rows:
        batch.append(row)
        if len(batch) == size:
            yield batch
            batch = []
    if batch:
        yield batch


def _write_rows(path: Path, rows: list[tuple[Row, bytes]]) -> None:
    table = pa.table(
        [[row.number for row, _ in rows], [row.text for row, _ in rows], [digest for _, digest in rows]],
        schema=INPUT_SCHEMA,
    )
    with replacing(path) as temporary:
        pq.write_table(table, temporary)
