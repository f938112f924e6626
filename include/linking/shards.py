"""Link shards of a build and keep each one's outcome: names, vectors, links, counts, seconds."""

from __future__ import annotations

import logging
from collections.abc import Iterable, Iterator, Sequence
from contextlib import ExitStack

import numpy as np
import pyarrow as pa

from include.catalog.models import get_model
from include.elastic.bulk import BulkWriter
from include.elastic.connection import EsConnection, connect
from include.elastic.replay import dead_letter_folder
from include.generations.counts import Counts
from include.generations.shards import ShardManifest
from include.generations.vectors import to_column
from include.linking.locks import writing_index
from include.linking.parameters import LinkingParameters
from include.linking.pipeline import LinkedBatch, LinkPipeline
from include.linking.progress import STAGES, Progress
from include.settings import Settings
from include.sources.build import Build
from include.sources.plan import text_hash
from include.triton.client import TritonClient
from include.triton.embedder import Embedder
from include.vector_store.collection import keyword_table
from include.vector_store.open import store_of

log = logging.getLogger(__name__)


def link_shards(build: Build, shards: Iterable[int], settings: Settings) -> Counts:
    """Link the shards that are not finished; return what became of all of them.

    Raises:
        ContractError: Triton serves another model than when the build was planned.
    """
    total = Counts()
    todo: list[int] = []
    for index in shards:
        if manifest := build.finished(index):
            total += manifest.counts
        else:
            todo.append(index)
    if not todo:
        return total
    log.info("stage 3/5: linking %d shards; %d products were linked before", len(todo), total.read)
    parameters = LinkingParameters(**build.facts["parameters"])
    realtime = parameters.mode == "realtime"
    with ExitStack() as stack:
        if realtime:
            purpose = f"realtime linking {build.generation}"
            stack.enter_context(writing_index(settings, parameters.index, purpose=purpose, alone=False))
        into = parameters.index if realtime else build.generation
        batches = linked_batches(build, todo, settings, into=into, refresh=realtime, rows_of=build, done=total.read)
        for manifest in _finished(build, batches):
            total += manifest.counts
    return total


def linked_batches(
    build: Build, shards: Sequence[int], settings: Settings, *, into: str, refresh: bool = False, rows_of: Build,
    done: int = 0,
) -> Iterator[LinkedBatch]:  # fmt: skip
    """Send the links of ``shards`` to index ``into`` (an alias or a generation), batch after batch, in order.

    ``build`` says with which model and keywords; ``rows_of`` is the build whose products and date they are. ``done``
    products were linked before: they count in what is told of the progress.
    """
    parameters = LinkingParameters(**build.facts["parameters"])
    collection = build.facts["keyword_generation"]
    with ExitStack() as stack:
        triton = stack.enter_context(
            TritonClient(parameters.kserve_url, batch_size=parameters.batch_size, concurrency=parameters.workers)
        )
        client = stack.enter_context(connect(EsConnection.from_settings(settings, urls=parameters.es_url)))
        store = store_of(settings, parameters.qdrant_url)
        stack.callback(store.close)
        writer = BulkWriter(
            client, into, run_id=build.generation, dead_letters=dead_letter_folder(settings),
            version=rows_of.version, refresh=refresh,
        )  # fmt: skip
        pipeline = LinkPipeline(
            _embedder(triton, build), store, collection, keyword_table(store, collection), writer,
            parameters.top_k, parameters.batch_size, parameters.workers,
            Progress(done + sum(map(rows_of.row_count, shards)), done=done),
        )  # fmt: skip
        yield from pipeline.run((index, rows_of.rows(index)) for index in shards)


def _embedder(client: TritonClient, build: Build) -> Embedder:
    fingerprint = build.facts["model_fingerprint"]
    return Embedder.pinned(client, get_model(build.facts["model"]), fingerprint=fingerprint, begun=build.generation)


def _finished(build: Build, batches: Iterable[LinkedBatch]) -> Iterator[ShardManifest]:
    """Collect batches until a shard is whole, then write its part and its manifest."""
    collected: list[LinkedBatch] = []
    for linked in batches:
        collected.append(linked)
        if linked.batch.last:
            yield _finish_shard(build, linked.batch.shard, collected)
            collected = []


def _finish_shard(build: Build, index: int, batches: Sequence[LinkedBatch]) -> ShardManifest:
    rows = [row for linked in batches for row in linked.batch.rows]
    links = [document.source["keywords"] for linked in batches for document in linked.documents]
    table = pa.table(
        {
            "number": pa.array([row.number for row in rows], pa.int64()),
            "product_name": pa.array([row.text for row in rows], pa.string()),
            "text_hash": pa.array([text_hash(row.text) for row in rows], pa.binary(16)),
            "vector": to_column(np.concatenate([linked.vectors for linked in batches])),
            "keyword_ids": pa.array([[k["keyword_id"] for k in row] for row in links], pa.list_(pa.int64())),
            "keywords": pa.array([[k["keyword"] for k in row] for row in links], pa.list_(pa.string())),
            "scores": pa.array([[k["score"] for k in row] for row in links], pa.list_(pa.float64())),
        }
    )
    seconds = {stage: sum(getattr(linked.times, stage) for linked in batches) for stage in STAGES}
    fingerprint = build.facts["model_fingerprint"]
    return build.finish_shard(index, table, linked_counts(batches), seconds, model_fingerprint=fingerprint)


def linked_counts(batches: Sequence[LinkedBatch]) -> Counts:
    """What became of the rows of some batches."""
    return Counts.total(
        Counts(len(b.batch.rows), b.counts.indexed, dict(b.counts.skipped), b.counts.dead) for b in batches
    )
