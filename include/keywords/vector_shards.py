"""The shards of keyword vectors: each is embedded or taken over, written as a part, and read again to be loaded."""

from __future__ import annotations

import time
from collections.abc import Iterator

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from numpy.typing import NDArray

from include.generations.counts import Counts
from include.generations.shards import ShardManifest
from include.generations.vectors import from_column, to_column
from include.keywords.progress import Progress
from include.keywords.reuse import KnownVectors
from include.sources.build import Build
from include.sources.plan import text_digest
from include.triton.embedder import Embedder


def embed_shard(build: Build, index: int, embedder: Embedder, known: KnownVectors, progress: Progress) -> ShardManifest:
    """Take over the vectors of texts that are ``known``, embed the others, and write all of them as a part."""
    rows = build.rows(index)
    hashes = [text_digest(row.text) for row in rows]
    vectors = np.empty((len(rows), build.facts["dimension"]), np.float32)
    began = time.monotonic()
    reused = known.fill(hashes, vectors)
    looked_up = time.monotonic()
    todo = np.flatnonzero(~reused)
    progress.reused(len(rows) - len(todo))
    vectors[todo] = embedder.embed([rows[i].text for i in todo], "semantic", on_rows=progress.embedded)
    seconds = {"reuse": looked_up - began, "embed": time.monotonic() - looked_up}
    table = pa.table(
        {
            "keyword_id": pa.array([row.number for row in rows], pa.int64()),
            "keyword": pa.array([row.text for row in rows], pa.string()),
            "text_hash": pa.array(hashes, pa.binary(16)),
            "reused": pa.array(reused),
            "vector": to_column(vectors),
        }
    )
    counts = Counts(len(rows), len(rows))
    return build.finish_shard(index, table, counts, seconds, model_fingerprint=build.facts["vector_fingerprint"])


def blocks(build: Build) -> Iterator[tuple[NDArray[np.int64], NDArray[np.float32], list[str]]]:
    """The build's keywords as ``(ids [n], vectors [n, D], keywords)``, a shard at a time."""
    for index in range(build.input.shards):
        table = pq.read_table(build.shard(index).part, columns=["keyword_id", "keyword", "vector"])
        yield table["keyword_id"].to_numpy(), from_column(table["vector"]), table["keyword"].to_pylist()


def reused_rows(build: Build) -> int:
    """How many of the build's vectors were taken over from an earlier one."""
    return sum(
        sum(pq.read_table(build.shard(index).part, columns=["reused"])["reused"].to_pylist())
        for index in range(build.input.shards)
    )
