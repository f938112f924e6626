"""The end of a linking: finalise, check, give the new generation its name; and what to tell of it."""

from __future__ import annotations

import logging
import time
from dataclasses import asdict
from typing import Any

from elasticsearch import Elasticsearch

from include.elastic.bulk import BulkWriter
from include.elastic.comparison import present
from include.elastic.dead_letters import dead_ids
from include.elastic.document_id import document_id
from include.elastic.documents import Document
from include.elastic.index_generations import IndexGenerations
from include.elastic.linked_keywords import KEYWORDS
from include.elastic.locks import writing_index
from include.elastic.promotion import Written, serve
from include.elastic.replay import dead_letter_folder
from include.elastic.verify import verify
from include.errors import GateFailed
from include.generations.counts import Counts
from include.linking.documents import all_documents, sample_documents
from include.linking.others import Others, count_dropped
from include.linking.parameters import LinkingParameters
from include.linking.plan import KIND, KIND_REALTIME
from include.linking.servers import Servers, servers_of
from include.linking.shards import linked_elsewhere
from include.settings import Settings
from include.sources.build import Build
from include.sources.builds import all_builds, prune_builds

log = logging.getLogger(__name__)

CHECKED_DOCUMENTS = 50
NAMED = 3  # missing products that a message names


def publish(build: Build, settings: Settings) -> dict[str, Any]:
    """Check what was linked and, in bulk mode, serve it; return the run's figures.

    ``kept_others`` counts what came in meanwhile, or was kept by the parameter of this name; ``dropped`` the products
    that were served before and are no more.

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
    with servers_of(parameters, settings) as servers:
        generations = servers.generations
        served = (_serve if parameters.mode == "bulk" else _check)(build, servers, counts, settings)
        summary = {
            "index": parameters.index,
            **served,
            "mode": parameters.mode,
            KEYWORDS: generations.meta(parameters.index).get(KEYWORDS),
            "documents": generations.count(parameters.index),
            **build.told(counts),
            "seconds": build.all_seconds(publish=time.monotonic() - began),
        }
        log.info("stage 5/5: %s serves %d documents", parameters.index, summary["documents"])
        kept = generations.generations()
    build.mark_published(summary)
    server = {"es_url": parameters.es_url}
    prune_builds(settings, KIND, build.alias, keep=kept, server=server)
    prune_builds(settings, KIND_REALTIME, build.alias, keep=_recent(settings, build.alias), server=server)
    return summary


def _serve(build: Build, servers: Servers, counts: Counts, settings: Settings) -> dict[str, Any]:
    """Bulk mode: check the new generation and give it the name."""
    generations = servers.generations
    written = Written(
        counts.written,
        sample=lambda: _sample(build, counts, settings),
        send_again=lambda: _writer(generations.client, build, settings).write(all_documents(build)),
        version=build.version,
    )
    others = Others(build, servers, settings)
    served = serve(build, generations, written, settings, before=others.take_most, last=others.take_rest)
    # Once: when this is repeated, the index before may be gone, and daily runs may have written into the new one.
    lost = build.once("dropped", lambda: {"dropped": count_dropped(servers, served["previous"], build.generation)})
    _tell(build, others.counts, lost["dropped"])
    return {"generation": build.generation, **served, "kept_others": others.counts.as_dict(), **lost}


def _tell(build: Build, others: Counts, dropped: int) -> None:
    if others.written:
        told = "%d products that the input has not, but the served index had, were linked into %s"
        log.info(told, others.written, build.generation)
    if others.dead:
        told = "%d of the products that were to be kept were refused: embsearch replay --run %s sends them again"
        log.warning(told, others.dead, build.generation)
    if dropped:
        told = "%d products that were served before are not in %s: keep_others keeps what its input has not got"
        log.warning(told, dropped, build.generation)


def _check(build: Build, servers: Servers, counts: Counts, settings: Settings) -> dict[str, Any]:
    """Realtime mode: check what was written into the served index.

    A full build that took the name meanwhile has linked these products anew, with keywords of its own: then each must
    only be there. The name stays where it is until all is checked.
    """
    generations = servers.generations
    documents = _sample(build, counts, settings)
    with writing_index(settings, build.alias, purpose=f"check {build.generation}", alone=False):
        served = generations.resolve()
        elsewhere = linked_elsewhere(build, served)
        for shard, index in elsewhere.items():
            _refuse_missing(build, shard, index, generations, settings)
        gate = verify(generations.client, build.alias, documents, version=0 if elsewhere else build.version)
    return {"generation": served, "previous": served, "gate": asdict(gate)}


def _refuse_missing(build: Build, shard: int, index: str, generations: IndexGenerations, settings: Settings) -> None:
    """Check that what was linked into ``index`` is served from another one now, linked anew or not.

    Raises:
        GateFailed: some products are missing, for example after a roll back.
    """
    ids = {document_id(row.text) for row in build.rows(shard)}
    ids -= dead_ids(dead_letter_folder(settings), build.generation)
    if missing := sorted(ids - present(generations.client, build.alias, ids)):
        msg = (
            f"{len(missing)} products of {build.generation} were linked into {index}, but {generations.resolve()} is "
            f"served now and has not got them, for example {missing[:NAMED]}. Start the run again from its first task: "
            "it links all of them into the index that is served."
        )
        raise GateFailed(msg)


def _sample(build: Build, counts: Counts, settings: Settings) -> list[Document]:
    if counts.dead == build.input.rows:
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


def _recent(settings: Settings, alias: str) -> list[str]:
    """The realtime builds of the last week: a bulk build that is under way may still need them."""
    oldest = time.time() - 7 * 24 * 3600
    return [b.generation for b in all_builds(settings, KIND_REALTIME, alias) if b.began > oldest]
