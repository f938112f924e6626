"""FAISS indexes over MySQL: reading, adding, searching, and the daily increment beside a full rebuild."""

from __future__ import annotations

import shutil
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import uuid4

import numpy as np
import pymysql

from include.bench.figures import REPEATS, Figure, median_pairs, rate
from include.catalog.index_types import index_type
from include.faiss_index.engine import Vectors, library
from include.faiss_index.opened import OpenIndex
from include.faiss_index.version import Version
from include.generations.run import Run
from include.music_index.folders import index_folder
from include.music_index.increment import increment
from include.music_index.parameters import FaissIncrementParameters, FaissRebuildParameters
from include.music_index.rebuild import rebuild
from include.mysql.clustered import Clusters
from include.mysql.columns import quoted
from include.mysql.connection import MysqlConnection, Session
from include.mysql.embedding_table import open_embedding_table
from include.mysql.schema import MIGRATIONS, Migration, apply
from include.settings import Settings

ROWS = 500_000
SIZES = (100_000, 500_000, 2_000_000)
SHARE = 0.01  # of the rows, that an increment brings: half of it new rows, half changed ones
READ_ROWS = 100_000  # of which a plain fetchall still fits memory several times
QUERIES = 500
BLOCK = 1000  # rows in a statement
KIND = index_type("song")  # 512 dimensions
DAY = timedelta(days=1)
START = datetime(2026, 1, 1, tzinfo=UTC)


@dataclass
class Bench:
    """A table of its own in the MySQL of the settings, and indexes in a folder of its own."""

    settings: Settings
    owner: Session
    clusters: Clusters
    rows: int = 0  # that the table has
    days: int = 0  # that have passed

    def fill(self, rows: int) -> None:
        """Grow the table to ``rows``."""
        for first in range(self.rows, rows, BLOCK):
            count = min(BLOCK, rows - first)
            self._put(np.arange(first + 1, first + count + 1), draw=first, moment=START - 30 * DAY)
        self.rows = rows

    def change(self, rows: int) -> None:
        """Let a day pass that brings ``rows``: half of them new, half changed."""
        self.days += 1
        moment, half = START + (self.days - 1) * DAY, rows // 2
        changed = np.random.default_rng(self.days).choice(self.rows, rows - half, replace=False) + 1
        for first in range(0, len(changed), BLOCK):
            self._put(np.sort(changed[first : first + BLOCK]), draw=10**9 + self.rows + first, moment=moment)
        for first in range(0, half, BLOCK):
            count = min(BLOCK, half - first)
            ids = np.arange(self.rows + first + 1, self.rows + first + count + 1)
            self._put(ids, draw=2 * 10**9 + self.rows + first, moment=moment)
        self.rows += half

    def rebuild(self) -> dict[str, Any]:
        """Train and build."""
        return rebuild(KIND, FaissRebuildParameters(type=KIND.name), self._run(), self.settings)

    def increment(self) -> dict[str, Any]:
        """The increment of the last day."""
        return increment(KIND, FaissIncrementParameters(type=KIND.name), self._run(), self.settings)

    def served(self) -> Version:
        """The served version."""
        version = index_folder(KIND, self.settings).current()
        assert version is not None  # noqa: S101 — it was built before
        return version

    def _run(self) -> Run:
        end = START + self.days * DAY
        return Run(uuid4().hex, end, start=end - DAY)

    def _put(self, ids: Any, *, draw: int, moment: datetime) -> None:
        vectors = self.clusters.draw(len(ids), draw)
        stored = moment.replace(tzinfo=None)
        rows = [(int(i), f"S{i}", vector.tobytes(), stored) for i, vector in zip(ids, vectors, strict=True)]
        statement = f"REPLACE INTO {quoted(KIND.table)} (idx, song_id, embedding, updated_at) VALUES (%s, %s, %s, %s)"  # noqa: S608
        self.owner.tell_many(statement, rows, of=KIND.table)


@contextmanager
def bench_table(settings: Settings, rows: int) -> Iterator[Bench]:
    """A database of its own beside the one of the settings, by the owner's login; removed afterwards."""
    name, folder = f"music_bench_{uuid4().hex[:8]}", settings.state_dir / "bench" / "faiss"
    shutil.rmtree(folder, ignore_errors=True)
    own = settings.model_copy(
        update={
            "mysql_url": settings.mysql_url.rpartition("/")[0] + f"/{name}",
            "state_dir": folder,
            "faiss_published_dir": None,
        }
    )
    with Session(MysqlConnection.from_settings(settings).owned(settings)) as session:
        session.tell(f"CREATE DATABASE {quoted(name)} CHARACTER SET utf8mb4", of=name)
        try:
            with Session(MysqlConnection.from_settings(own).owned(own)) as owner:
                # The tables of vectors alone: there is no backup database of the bench's own.
                apply(owner, [Migration.read(path) for path in sorted((MIGRATIONS / "music").glob("*.sql"))])
                bench = Bench(own, owner, Clusters.of(KIND.name, KIND.dimension, rows, 0))
                bench.fill(rows)
                yield bench
        finally:
            session.tell(f"DROP DATABASE {quoted(name)}", of=name)
            shutil.rmtree(folder, ignore_errors=True)


def faiss_figures(settings: Settings, *, rows: int = ROWS, repeats: int = REPEATS) -> list[Figure]:
    """All figures over one table of ``rows`` vectors."""
    with bench_table(settings, rows) as bench:
        reading = _reading(bench, repeats)
        built = bench.rebuild()
        searching = _searching(bench)
        return [reading, *searching, _increments(bench, built, repeats)]


def growth_figures(settings: Settings, sizes: tuple[int, ...]) -> list[Figure]:
    """The rebuild and the increment of 1 % at growing sizes."""
    figures = []
    with bench_table(settings, sizes[0]) as bench:
        for size in sizes:
            bench.fill(max(size, bench.rows))
            figures.append(_increments(bench, bench.rebuild(), 1))
    return figures


def _reading(bench: Bench, repeats: int) -> Figure:
    """Vectors a second by pages, checked and bounded in memory, against all rows at once."""
    rows = min(READ_ROWS, bench.rows)

    def by_pages() -> None:
        with open_embedding_table(bench.settings, KIND) as table:
            read = 0
            for page in table.pages():
                read += page.read
                if read >= rows:
                    return

    def at_once() -> None:
        arguments = MysqlConnection.from_settings(bench.settings).arguments()
        with pymysql.connect(**arguments) as connection, connection.cursor() as cursor:
            cursor.execute(f"SELECT idx, embedding FROM {quoted(KIND.table)} WHERE idx <= %s", (rows,))  # noqa: S608
            found = cursor.fetchall()
            np.frombuffer(b"".join([vector for _, vector in found]), "<f4").reshape(-1, KIND.dimension)

    by_pages()  # brings the rows into the server's memory
    ours, theirs, pairs = median_pairs(lambda: rate(rows, by_pages), lambda: rate(rows, at_once), repeats)
    details = {"rows": rows, "pairs": pairs}
    return Figure("vectors from MySQL by pages, against fetchall", ours, theirs, "vectors/s", 0.8, details=details)


def _searching(bench: Bench) -> list[Figure]:
    """One query at a time, at the lists searched that the build has chosen, against exact search."""
    version = bench.served()
    manifest, opened = version.manifest, version.open(check=False)
    queries = bench.clusters.draw(QUERIES, 3 * 10**9)
    flat = library().IndexFlatIP(KIND.dimension)
    for first in range(0, bench.rows, 20_000):
        with open_embedding_table(bench.settings, KIND) as table:
            for page in table.rows_of(np.arange(first + 1, min(first + 20_000, bench.rows) + 1)):
                flat.add(page.rows.vectors)
    recall, ours, exact = _compared(opened, flat, queries)
    added = manifest.ntotal / _add_seconds(bench, opened)
    details = {"nprobe": manifest.recipe.nprobe, "key": manifest.recipe.key, "rows": bench.rows}
    built = manifest.ntotal / manifest.seconds["add"]
    return [
        Figure("search, one query, against exact", ours, exact, "ms", 0.25, at_most=True, details=details),
        Figure("search, recall@10 on held-out queries", recall, 1.0, "", 0.95, details=details),
        # Without a goal: a build reads and checks what it adds, so adding alone is faster whatever becomes of either.
        Figure("adding alone, beside reading and adding in a build", added, built, "vectors/s", None),
    ]


def _compared(opened: OpenIndex, flat: Any, queries: Vectors) -> tuple[float, float, float]:
    """Recall@10, and milliseconds of a query, ours and exact. Rows are numbered from 0 in ``flat``, by ids from 1."""
    began = time.perf_counter()
    exact = np.vstack([flat.search(query[None, :], 10)[1] for query in queries]) + 1
    middle = time.perf_counter()
    found = np.vstack([opened.search(query[None, :], 10)[1] for query in queries])
    end = time.perf_counter()
    recall = float(np.mean([len(np.intersect1d(a, b)) / 10 for a, b in zip(found, exact, strict=True)]))
    return recall, (end - middle) * 1000 / len(queries), (middle - began) * 1000 / len(queries)


def _add_seconds(bench: Bench, opened: OpenIndex) -> float:
    """Of as many rows as the index has, from memory."""
    index = opened.index
    vectors = bench.clusters.draw(20_000, 4 * 10**9)
    ids = np.arange(20_000, dtype=np.int64) + 10**9
    began = time.perf_counter()
    index.add_with_ids(vectors, ids)
    return (time.perf_counter() - began) * bench.rows / len(ids)


def _increments(bench: Bench, built: dict[str, Any], repeats: int) -> Figure:
    """How many times longer a rebuild takes than an increment of 1 %; both from the lock to the served version."""
    increments, rebuilds = [], [built["seconds"]["wall"]]
    stages: list[dict[str, float]] = []
    for turn in range(repeats):
        bench.change(round(bench.rows * SHARE))
        found = bench.increment()
        increments.append(found["seconds"]["wall"])
        stages.append(found["seconds"])
        if turn:
            again = bench.rebuild()["seconds"]
            rebuilds.append(again["wall"])
    manifest = bench.served().manifest
    details = {
        "rows": manifest.ntotal, "increments_s": increments, "rebuilds_s": rebuilds, "stages": stages,
        "built": built["seconds"], "mb": sum(entry.bytes for entry in manifest.files.values()) / 1e6,
        "recall_at_10": manifest.quality.recall_at_10, "key": manifest.recipe.key,
    }  # fmt: skip
    name = f"increment of 1 % of {manifest.ntotal:,} rows, against a rebuild"
    return Figure(name, float(np.median(rebuilds)), float(np.median(increments)), "s", 20, details=details)
