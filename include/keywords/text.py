"""Keywords as text: plan → bulk shards into a new index → finalise → gate → promote."""

from __future__ import annotations

import logging
import random
import time
from collections.abc import Iterable, Iterator
from typing import Any

import pyarrow as pa
from elasticsearch import Elasticsearch

from include.elastic.bulk import BulkWriter
from include.elastic.connection import EsConnection, connect
from include.elastic.dead_letters import dead_ids
from include.elastic.documents import Document
from include.elastic.index_generations import IndexGenerations
from include.elastic.mappings import KEYWORD_MAPPING
from include.elastic.promotion import Written, refuse_smaller, serve
from include.elastic.replay import dead_letter_folder
from include.generations.counts import Counts
from include.generations.run import Run
from include.generations.shards import ShardManifest
from include.keywords.parameters import TextIndexParameters
from include.settings import Settings
from include.sources.build import Build
from include.sources.builds import begin, prune_builds
from include.sources.files import Source, find_input
from include.sources.rows import Row

log = logging.getLogger(__name__)

PARAMETERS = TextIndexParameters
HELD = "keywords"
KIND = "keyword-text"
CHECKED_DOCUMENTS = 50


def plan(parameters: TextIndexParameters, run: Run, settings: Settings) -> Build:
    """Cut the keywords into shards and create the index to fill.

    Raises:
        InputError: the input cannot be used.
        GateFailed: it is much smaller than what is served.
        ServiceUnavailable: Elasticsearch does not answer.
    """
    log.info("reading %s", parameters.input)
    source = Source(find_input(parameters.input), parameters.text_column, parameters.id_column)
    build = begin(
        settings, KIND, parameters.index, source, run, limit=parameters.limit, shard_rows=settings.text_shard_rows,
        facts={"parameters": parameters.model_dump(mode="json")},
    )  # fmt: skip
    with connect(EsConnection.from_settings(settings, urls=parameters.es_url)) as client:
        generations = IndexGenerations(client, parameters.index)
        generations.refuse_foreign(HELD)
        if build.published() is None:
            refuse_smaller(build, generations, build.input.rows)
            generations.create(
                build.generation, KEYWORD_MAPPING, shards=settings.es_shards, replicas=settings.es_replicas,
                bulk_load=True, meta={"kind": HELD, "input": build.input.fingerprint},
            )  # fmt: skip
    return build


def run_shards(build: Build, shards: Iterable[int], settings: Settings) -> Counts:
    """Send the shards that are not finished; return what became of all of them."""
    parameters = TextIndexParameters(**build.facts["parameters"])
    total = Counts()
    with connect(EsConnection.from_settings(settings, urls=parameters.es_url)) as client:
        writer = _writer(client, build, settings)
        for index in shards:
            manifest = build.finished(index) or _index_shard(build, index, writer)
            total += manifest.counts
            log.info("shard %d/%d: %s", index + 1, build.input.shards, manifest.counts.as_dict())
    return total


def _writer(client: Elasticsearch, build: Build, settings: Settings) -> BulkWriter:
    return BulkWriter(
        client, build.generation, run_id=build.generation, dead_letters=dead_letter_folder(settings),
        in_flight=build.facts["parameters"]["workers"],
    )  # fmt: skip


def keyword_document(keyword_id: int, keyword: str) -> Document:
    """The document of one keyword; its id is the keyword's own."""
    return Document(str(keyword_id), {"keyword": keyword, "keyword_id": keyword_id})


def _index_shard(build: Build, index: int, writer: BulkWriter) -> ShardManifest:
    rows = build.rows(index)
    began = time.monotonic()
    done = writer.write([keyword_document(row.number, row.text) for row in rows])
    seconds = {"bulk": time.monotonic() - began}
    table = pa.table(
        {
            "keyword_id": pa.array([row.number for row in rows], pa.int64()),
            "keyword": pa.array([row.text for row in rows], pa.string()),
        }
    )
    return build.finish_shard(index, table, Counts(len(rows), done.indexed, dict(done.skipped), done.dead), seconds)


def publish(build: Build, settings: Settings) -> dict[str, Any]:
    """Finalise the index, check it, and serve it; return the figures.

    Raises:
        GateFailed: the index is not what was written, or much smaller; the generation served before goes on.
        ContractError: a shard is missing, or a newer generation is served already.
    """
    if (summary := build.published()) is not None:
        return summary
    parameters = TextIndexParameters(**build.facts["parameters"])
    counts = build.counts()
    began = time.monotonic()
    with connect(EsConnection.from_settings(settings, urls=parameters.es_url)) as client:
        generations = IndexGenerations(client, parameters.index)
        written = Written(
            counts.written,
            sample=lambda: _sample(build, settings),
            send_again=lambda: _writer(client, build, settings).write(_documents(build)),
        )
        served = serve(build, generations, written, settings)
        kept = generations.generations()
    summary = {
        "index": parameters.index,
        "generation": build.generation,
        **served,
        **build.told(counts),
        "seconds": build.all_seconds(publish=time.monotonic() - began),
    }
    build.mark_published(summary)
    prune_builds(settings, KIND, build.alias, keep=kept, server={"es_url": parameters.es_url})
    return summary


def _documents(build: Build) -> Iterator[Document]:
    return (keyword_document(r.number, r.text) for shard in range(build.input.shards) for r in build.rows(shard))


def _sample(build: Build, settings: Settings) -> list[Document]:
    """Documents spread over the shards, none that is dead."""
    choose = random.Random(build.generation)  # noqa: S311 — a sample, not a secret
    dead = dead_ids(dead_letter_folder(settings), build.generation)
    each = -(-CHECKED_DOCUMENTS // build.input.shards)
    picked: list[Row] = []
    for shard in range(build.input.shards):
        rows = build.rows(shard)
        picked += choose.sample(rows, min(each, len(rows)))
    documents = (keyword_document(row.number, row.text) for row in picked)
    return [document for document in documents if document.id not in dead]
