"""Training of one index type on a sample of its table."""

from __future__ import annotations

import logging
import time
from dataclasses import replace
from datetime import datetime
from typing import Any

from include.catalog.index_types import IndexType
from include.errors import InputError
from include.faiss_index.recipe import Recipe, choose
from include.faiss_index.training import Trained
from include.faiss_index.training import train as train_index
from include.generations.run import Run
from include.generations.vectors import VectorRows
from include.music_index.folders import training_output
from include.music_index.parameters import FaissRebuildParameters, FaissTrainParameters
from include.mysql.embedding_table import EmbeddingTable, open_embedding_table
from include.settings import Settings

log = logging.getLogger(__name__)

SEED = 0
Shape = FaissTrainParameters | FaissRebuildParameters


def train(kind: IndexType, parameters: FaissTrainParameters, run: Run, settings: Settings) -> dict[str, Any]:
    """Train an index for ``kind`` and keep it for faiss_build; what is served does not change.

    Raises:
        InputError: the table has no usable rows, or a parameter cannot be used.
        ServiceUnavailable: MySQL does not answer.
        SetupError: no space is left.
    """
    began = time.monotonic()
    kind = sized(kind, parameters.dimension)
    with open_embedding_table(settings, kind) as table:
        trained = trained_on(table, parameters, run.date, settings)
    path = trained.save(training_output(kind, settings, parameters.output))
    log.info("%s: trained as %s in %.1f s: %s", kind.name, trained.recipe.key, trained.seconds, path)
    return {
        "type": kind.name, **_shape(trained), "file": str(path),
        "seconds": {"train": trained.seconds, "wall": round(time.monotonic() - began, 2)},
    }  # fmt: skip


def trained_on(table: EmbeddingTable, shape: Shape, until: datetime, settings: Settings) -> Trained:
    """An index trained on rows of ``table`` that were changed before ``until``.

    Raises:
        InputError: the table has no usable rows, or a parameter cannot be used.
    """
    rows = table.span(until).rows
    if not rows:
        msg = (
            f"{table.session.connection.url}: {table.table} has no rows, so there is nothing to index. Fill it, then "
            "run this again (`embsearch generate vectors` makes test data)."
        )
        raise InputError(msg)
    recipe = _recipe(rows, table.dimension, shape, settings)
    sample = table.sample(recipe.sample_rows, seed=SEED, until=until)
    if len(sample.ids) < min(recipe.sample_rows, rows):  # then these are all usable rows that there are
        _check_usable(table, sample, rows, until)
        recipe = _recipe(len(sample.ids), table.dimension, shape, settings)
    log.info("%s: training %s on %s of %s rows", table.table, recipe.key, f"{recipe.training_rows:,}", f"{rows:,}")
    return train_index(sample, recipe, thread_count=settings.faiss_threads, seed=SEED)


def sized(kind: IndexType, dimension: int) -> IndexType:
    """``kind`` with vectors of ``dimension`` numbers; 0 leaves its own."""
    return replace(kind, dimension=dimension) if dimension else kind


def _recipe(rows: int, dimension: int, shape: Shape, settings: Settings) -> Recipe:
    return choose(
        rows,
        dimension,
        memory_budget_bytes=settings.faiss_memory_mb << 20,
        kind=shape.kind,
        nlist=shape.nlist or None,
        m=shape.m or None,
        nprobe=shape.nprobe or None,
    )


def _check_usable(table: EmbeddingTable, sample: VectorRows, rows: int, until: datetime) -> None:
    if len(sample.ids):
        return
    bad = next(table.pages(until)).bad[0]
    where = table.session.connection.url
    msg = (
        f"{where}: none of the {rows:,} rows of {table.table} holds a vector of {table.dimension} "
        f"numbers; the first is id {bad.id}: {bad.reason} {bad.detail}".rstrip()
        + ". Check the dimension, "
        "EMBSEARCH_MYSQL_VECTOR_COLUMN and EMBSEARCH_MYSQL_VECTOR_TYPE."
    )
    raise InputError(msg)


def _shape(trained: Trained) -> dict[str, Any]:
    recipe = trained.recipe
    return {
        "kind": recipe.kind, "key": recipe.key, "d": recipe.dimension, "nlist": recipe.nlist,
        "rows": recipe.rows, "training_rows": trained.figures.rows,
    }  # fmt: skip
