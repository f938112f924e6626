"""Link shards of a build and keep each one's outcome: names, vectors, links, counts, seconds."""

from __future__ import annotations

import logging
from collections.abc import Iterable, Iterator, Sequence

import numpy as np
import pyarrow as pa

from include.catalog.models import get_model
from include.elastic.linked_keywords import KEYWORDS
from include.elastic.locks import writing_index
from include.errors import ContractError
from include.generations.counts import Counts
from include.generations.shards import ShardManifest
from include.generations.vectors import to_column
from include.linking.parameters import LinkingParameters
from include.linking.pipeline import LinkedBatch, LinkPipeline
from include.linking.progress import STAGES, Progress
from include.linking.servers import Servers, Target, pinned_embedder, pipeline_to, served_target, servers_of
from include.settings import Settings
from include.sources.build import Build
from include.sources.plan import text_digest
from include.triton.embedder import Embedder

log = logging.getLogger(__name__)


def link_shards(build: Build, shards: Iterable[int], settings: Settings) -> Counts:
    """Link the shards that are not finished; return what became of all of them.

    Raises:
        ContractError: the model that is needed is not served, or the keywords of the served index are gone.
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
    progress = Progress(total.read + sum(map(build.row_count, todo)), done=total.read)
    with servers_of(parameters, settings) as servers:
        if parameters.mode == "realtime":
            manifests = _into_served(build, todo, servers, settings, progress)
        else:
            target = Target(build.generation, build.facts[KEYWORDS])
            pipeline = pipeline_to(target, pinned_embedder(build, servers), build, servers, settings, progress=progress)
            manifests = _finished(build, pipeline, todo)
        for manifest in manifests:
            total += manifest.counts
    return total


def _into_served(
    build: Build, shards: Sequence[int], servers: Servers, settings: Settings, progress: Progress
) -> Iterator[ShardManifest]:
    """Link into the served index, whichever it is by then, with its own keywords; the name may move between shards."""
    parameters = LinkingParameters(**build.facts["parameters"])
    pipeline, target = None, None
    for index in shards:
        purpose = f"realtime linking {build.generation}"
        # Until the manifest stands: by it a full build knows what came in meanwhile.
        with writing_index(settings, parameters.index, purpose=purpose, alone=False):
            served = served_target(parameters, servers)
            if served is None:
                msg = f"{parameters.index} serves nothing any more. Start the run again from its first task."
                raise ContractError(msg)
            if pipeline is None or served != target:
                target, keywords = served, servers.store.info(served.keywords)
                embedder = Embedder.of_collection(servers.triton, get_model(parameters.model), keywords)
                pipeline = pipeline_to(target, embedder, build, servers, settings, progress=progress)
            (manifest,) = _finished(build, pipeline, [index])
        yield manifest


def _finished(build: Build, pipeline: LinkPipeline, shards: Sequence[int]) -> Iterator[ShardManifest]:
    """Collect batches until a shard is whole, then write its part and its manifest."""
    collected: list[LinkedBatch] = []
    for linked in pipeline.run((index, build.rows(index)) for index in shards):
        collected.append(linked)
        if linked.batch.last:
            yield _finish_shard(build, linked.batch.shard, collected, pipeline)
            collected = []


def _finish_shard(build: Build, index: int, batches: Sequence[LinkedBatch], pipeline: LinkPipeline) -> ShardManifest:
    rows = [row for linked in batches for row in linked.batch.rows]
    links = [document.source["keywords"] for linked in batches for document in linked.documents]
    table = pa.table(
        {
            "number": pa.array([row.number for row in rows], pa.int64()),
            "product_name": pa.array([row.text for row in rows], pa.string()),
            "text_hash": pa.array([text_digest(row.text) for row in rows], pa.binary(16)),
            "vector": to_column(np.concatenate([linked.vectors for linked in batches])),
            "keyword_ids": pa.array([[k["keyword_id"] for k in row] for row in links], pa.list_(pa.int64())),
            "keywords": pa.array([[k["keyword"] for k in row] for row in links], pa.list_(pa.string())),
            "scores": pa.array([[k["score"] for k in row] for row in links], pa.list_(pa.float64())),
        }
    )
    seconds = {stage: sum(getattr(linked.times, stage) for linked in batches) for stage in STAGES}
    return build.finish_shard(
        index, table, linked_counts(batches), seconds,
        model_fingerprint=pipeline.embedder.fingerprint, written_to=pipeline.writer.index,
    )  # fmt: skip


def linked_elsewhere(build: Build, served: str | None) -> dict[int, str]:
    """The finished shards of a realtime build whose index is not ``served``, each with its index.

    The name has moved since: to a full build, which has linked their products anew, or back to a generation that has
    not got them.
    """
    shards = (build.shard(index) for index in range(build.input.shards))
    written = {one.index: ShardManifest.read(one.manifest).written_to for one in shards if one.manifest.exists()}
    return {index: into for index, into in written.items() if into != served}


def linked_counts(batches: Iterable[LinkedBatch]) -> Counts:
    """What became of the rows of some batches."""
    return Counts.total(
        Counts(len(b.batch.rows), b.counts.indexed, dict(b.counts.skipped), b.counts.dead) for b in batches
    )
