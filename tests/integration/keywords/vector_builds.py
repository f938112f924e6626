"""Builds of keyword vectors that are not served yet, for tests that end them or spoil them."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pyarrow.parquet as pq

from include.generations.counts import Counts
from include.generations.vectors import from_column, to_column
from include.keywords import vectors
from include.sources.build import Build
from tests.integration.keywords.conftest import KEYWORDS, SHARD_ROWS, KeywordStack
from tests.integration.runs import new_run

SHARDS = -(-KEYWORDS // SHARD_ROWS)


def begun(stack: KeywordStack, shards: int = SHARDS, name: str = "") -> Build:
    """A build of the stack's keywords with its first ``shards`` finished."""
    build = vectors.plan(stack.vector_parameters(), new_run(name), stack.settings)
    vectors.run_shards(build, range(shards), stack.settings)
    return build


def rewritten(build: Build, shard: int, change: Callable[[np.ndarray], np.ndarray]) -> None:
    """Other vectors in a finished shard whose manifest agrees with them."""
    table = pq.read_table(build.shard(shard).part)
    column = table.column_names.index("vector")
    table = table.set_column(column, "vector", to_column(change(from_column(table["vector"]))))
    build.finish_shard(shard, table, Counts(len(table), len(table)), {"embed": 0.0})
