"""Rows that cannot go into an index: each is written down with its reason, counted, and kept out."""

from __future__ import annotations

import json
import logging
from collections import Counter
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, TextIO

import numpy as np

from include.faiss_index.ids import NONE, Ids
from include.faiss_index.storage import storage_faults
from include.generations.files import replacing
from include.mysql.decoding import BadRow

log = logging.getLogger(__name__)

TOLD = 20  # rows, one by one in the log
EXAMPLES = 3  # in the figures


@dataclass
class SetAside:
    """What was kept out so far; the rows themselves are in a file, so that any number of them takes little memory."""

    table: str
    path: Path
    _file: TextIO
    reasons: Counter[str] = field(default_factory=Counter)
    examples: list[int] = field(default_factory=list)
    _ids: list[Ids] = field(default_factory=list)

    def add(self, rows: Iterable[BadRow]) -> None:
        """Keep ``rows`` out."""
        found = list(rows)
        for row in found:
            if self.count < TOLD:
                log.warning("%s: row %d is set aside: %s", self.table, row.id, _said(row))
            with storage_faults(self.path):
                self._file.write(json.dumps({"id": row.id, "reason": row.reason, "detail": row.detail}) + "\n")
            self.reasons[row.reason] += 1
            self.examples = [*self.examples, row.id][:EXAMPLES]
        if found:
            self._ids.append(np.array([row.id for row in found], np.int64))

    @property
    def count(self) -> int:
        """How many rows."""
        return self.reasons.total()

    def ids(self) -> Ids:
        """Of all rows, ascending."""
        return np.sort(np.concatenate([NONE, *self._ids]))

    def figures(self) -> dict[str, Any]:
        """How many, and some of their ids."""
        return {"count": self.count, "for_example": self.examples}


@contextmanager
def setting_aside(path: Path, table: str) -> Iterator[SetAside]:
    """Replace ``path`` by all rows that are set aside, one JSON object a line, when the work inside has ended well."""
    for left in path.parent.glob(f".{path.name}.*.tmp"):  # by a process that died: nobody else may be at work here
        left.unlink(missing_ok=True)
    with replacing(path) as temporary, temporary.open("w", encoding="utf-8") as file:
        aside = SetAside(table, path, file)
        yield aside
        with storage_faults(path):
            file.flush()
    if aside.count:
        reasons = ", ".join(f"{count:,} {reason}" for reason, count in aside.reasons.items())
        log.warning("%s: %d rows are set aside (%s); all are in %s", table, aside.count, reasons, path)


def _said(row: BadRow) -> str:
    return f"{row.reason} ({row.detail})" if row.detail else row.reason
