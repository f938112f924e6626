"""A small table of vectors for the tests: ids with gaps, clustered vectors, and an index grown from them."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any

import numpy as np

from include.bench.synthetic import clustered
from include.faiss_index.assembly import Options
from include.faiss_index.build import build
from include.faiss_index.increment import begin, increment
from include.faiss_index.manifest import Origin
from include.faiss_index.published import PublishedFiles
from include.faiss_index.recipe import choose
from include.faiss_index.training import Trained, train
from include.faiss_index.verify import Floors
from include.faiss_index.version import Version
from include.faiss_index.versions import IndexFolder
from include.generations.vectors import VectorRows

DIMENSION = 32
ROWS = 6_000
BASE = 4_000  # of the rows, in the first build
GAP = 7  # between ids
VECTORS = clustered(ROWS, DIMENSION) * np.float32(3)  # not of unit length
PAGE = 500
KINDS = ("flat", "ivf_sq8", "ivf_pq", "ivf_pq_refine")
LOW = Options(floors=Floors(recall_at_10=0.2, self_recall=0.8), threads=1)
DAY = date(2026, 11, 21)


def rows(first: int, last: int) -> VectorRows:
    """Rows by position."""
    return VectorRows(np.arange(first, last, dtype=np.int64) * GAP + 10, VECTORS[first:last])


def ids(first: int, last: int) -> Any:
    """Their ids."""
    return rows(first, last).ids


def pages(taken: VectorRows) -> Iterator[VectorRows]:
    """As a table gives them."""
    for start in range(0, len(taken.ids), PAGE):
        yield VectorRows(taken.ids[start : start + PAGE], taken.vectors[start : start + PAGE])


def origin(day: int = 0, key: str = "run") -> Origin:
    """Of the day so many days after the first."""
    moment = datetime(2026, 11, 21, 8, tzinfo=UTC) + timedelta(days=day)
    return Origin(key=key, day=DAY + timedelta(days=day), table="songs", watermark=moment)


def index_folder(root: Path, keep: int = 3) -> IndexFolder:
    """An index that is published as muse_vibe."""
    return IndexFolder(root / "song", "song", PublishedFiles(root / "published", "muse_vibe"), keep)


def trained(kind: str = "ivf_sq8", last: int = BASE) -> Trained:
    """On the first rows."""
    nprobe = None if kind == "flat" else 16
    recipe = choose(last, DIMENSION, memory_budget_bytes=1 << 30, kind=kind, nprobe=nprobe)
    return train(rows(0, last), recipe, thread_count=1)


def built(folder: IndexFolder, kind: str = "ivf_sq8", last: int = BASE, day: int = 0) -> Version:
    """A full build of the first rows."""
    with folder.alone("build") as alone:
        return build(alone, trained(kind, last), pages(rows(0, last)), origin(day), options=LOW)


def incremented(
    folder: IndexFolder,
    upserts: VectorRows | Iterable[VectorRows] = (),
    removals: Any = (),
    *,
    day: int = 1,
    options: Options = LOW,
) -> Version:
    """One increment."""
    given = pages(upserts) if isinstance(upserts, VectorRows) else upserts
    with folder.alone("increment") as alone:
        return increment(
            alone, begin(alone), given, np.array(removals, np.int64), origin(day, f"day {day}"), options=options
        )


def remains(folder: IndexFolder) -> list[str]:
    """What should not be there once nobody works: hidden folders, temporary files, markers."""
    every = [*folder.root.rglob("*"), *folder.root.parent.glob("published/**/*")]
    return [path.name for path in every if path.name.startswith((".building", ".dropped")) or "tmp" in path.suffix]
