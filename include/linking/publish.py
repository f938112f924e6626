"""The end of a linking: finalise, check, give the new generation its name; and what to tell of it."""

from __future__ import annotations

import logging
import time
from dataclasses import asdict
from typing import Any

from elasticsearch import Elasticsearch

from include.elastic.bulk import BulkWriter
from include.elastic.connection import EsConnection, connect
from include.elastic.documents import Document
from include.elastic.index_generations import IndexGenerations
from include.elastic.promotion import Written, serve
from include.elastic.replay import dead_letter_folder
from include.elastic.verify import verify
from include.errors import GateFailed
from include.generations.counts import Counts
from include.linking.documents import all_documents, sample_documents
from include.linking.locks import writing_index
from include.linking.parameters import LinkingParameters
from include.linking.plan import KIND, KIND_REALTIME
from include.linking.shards import linked_batches, linked_counts
from include.settings import Settings
from include.sources.build import Build
from include.sources.builds import all_builds, prune_builds

log = logging.getLogger(__name__)

CHECKED_DOCUMENTS = 50


def publish(build: Build, settings: Settings) -> dict[str, Any]:
    """Check what was linked and, in bulk mode, serve it; return the run's figures.

    Raises:
        GateFailed: the index is not what was written, or much smaller; the generation served before goes on.
        ContractError: a shard is missing, or a newer generation is served already.
    """
    if (summary := build.published()) is not None:
        return summary
    parameters = LinkingParameters(**build.facts["parameters"])
    counts = build.counts()
    log.info("stage 4/5: finalising and checking %s", build.generation)
    began = time.monotonic()
    with connect(EsConnection.from_settings(settings, urls=parameters.es_url)) as client:
        generations = IndexGenerations(client, parameters.index)
        served = (_serve if parameters.mode == "bulk" else _check)(build, generations, counts, settings)
        summary = {
            "index": parameters.index,
            "generation": generations.resolve(),
            **served,
            "mode": parameters.mode,
            "keyword_generation": build.facts["keyword_generation"],
            "documents": generations.count(parameters.index),
            "counts": counts.as_dict(),
            "cut_by_limit": build.input.cut_by_limit,
            "seconds": build.all_seconds(publish=time.monotonic() - began),
        }
        log.info("stage 5/5: %s serves %d documents", parameters.index, summary["documents"])
        kept = generations.generations()
    build.mark_published(summary)
    prune_builds(settings, KIND, build.alias, keep=kept)
    prune_builds(settings, KIND_REALTIME, build.alias, keep=_recent(settings, build.alias))
    return summary


def _serve(build: Build, generations: IndexGenerations, counts: Counts, settings: Settings) -> dict[str, Any]:
    """Bulk mode: check the new generation and give it the name."""
    written = Written(
        counts.written,
        sample=lambda: _sample(build, counts, settings),
        send_again=lambda: _writer(generations.client, build, settings).write(all_documents(build)),
        version=build.version,
    )
    alone = writing_index(settings, build.alias, purpose=f"publish {build.generation}", alone=True)
    caught_up: list[Counts] = []
    served = serve(
        build, generations, written, settings, alone=alone,
        last=lambda: caught_up.append(_catch_up(build, generations, settings)),
    )  # fmt: skip
    return {**served, "caught_up": Counts.total(caught_up).as_dict()}


def _check(build: Build, generations: IndexGenerations, counts: Counts, settings: Settings) -> dict[str, Any]:
    """Realtime mode: check what was written into the served index.

    A full build that took the name meanwhile has linked these products anew, with keywords of its own, at the same
    version: then each must only be there.
    """
    documents = _sample(build, counts, settings)
    replaced = generations.resolve() != build.once("index", lambda: {"index": generations.resolve()})["index"]
    version = build.version - 1 if replaced else build.version
    gate = verify(generations.client, build.alias, documents, version=version)
    return {"previous": generations.resolve(), "gate": asdict(gate)}


def _sample(build: Build, counts: Counts, settings: Settings) -> list[Document]:
    if counts.dead and not counts.written:
        name = build.generation
        msg = f"{name}: Elasticsearch refused every document. See why: embsearch replay --run {name}."
        raise GateFailed(msg)
    documents = sample_documents(build, settings, CHECKED_DOCUMENTS)
    if counts.written and not documents:
        msg = f"{build.generation}: none of {CHECKED_DOCUMENTS} sampled documents was written. See the dead letters."
        raise GateFailed(msg)
    return documents


def _writer(client: Elasticsearch, build: Build, settings: Settings) -> BulkWriter:
    letters = dead_letter_folder(settings)
    return BulkWriter(client, build.generation, run_id=build.generation, dead_letters=letters, version=build.version)


def _catch_up(build: Build, generations: IndexGenerations, settings: Settings) -> Counts:
    """Write into the new generation what was written into the served index during this build."""
    caught_up = Counts()
    for other in all_builds(settings, KIND_REALTIME, build.alias):
        since = [i for i in range(other.input.shards) if _finished_after(other, i, build)]
        if since:  # linked anew, with the model and the keywords of the generation that they go into
            for linked in linked_batches(build, since, settings, into=build.generation, rows_of=other):
                caught_up += linked_counts([linked])
    if caught_up.read:
        generations.refresh(build.generation)
        log.info("%d products that came in meanwhile were linked into %s", caught_up.written, build.generation)
    if caught_up.dead:
        told = "%d of the products that came in meanwhile were refused: embsearch replay --run %s sends them again"
        log.warning(told, caught_up.dead, build.generation)
    return caught_up.check(f"catching up of {build.generation}")


def _finished_after(other: Build, index: int, build: Build) -> bool:
    done = other.shard(index).manifest
    return done.exists() and done.stat().st_mtime >= build.began


def _recent(settings: Settings, alias: str) -> list[str]:
    """The realtime builds of the last week: a bulk build that is under way may still need them."""
    oldest = time.time() - 7 * 24 * 3600
    return [b.generation for b in all_builds(settings, KIND_REALTIME, alias) if b.began > oldest]
