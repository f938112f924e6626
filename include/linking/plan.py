"""The beginning of a linking: fix the keyword generation and the model, cut the input, make the index."""

from __future__ import annotations

import logging
from collections.abc import Mapping
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

from include.catalog.models import get_model
from include.elastic.index_generations import IndexGenerations
from include.elastic.linked_keywords import KEYWORDS
from include.elastic.locks import writing_index
from include.elastic.mappings import LINK_MAPPING
from include.elastic.promotion import refuse_smaller
from include.generations.names import generation_name, run_key
from include.generations.promotion import refuse_older
from include.generations.run import Run
from include.linking.parameters import LinkingParameters
from include.linking.servers import Servers, pinned_embedder, served_target, servers_of
from include.linking.shards import linked_elsewhere
from include.settings import Settings
from include.sources.build import Build
from include.sources.builds import begin, unless_stuck
from include.sources.files import Source, find_input
from include.triton.embedder import Embedder
from include.vector_store.collection import served_collection
from include.vector_store.protocol import CollectionInfo

log = logging.getLogger(__name__)

# What a realtime run makes when there is nothing sorts before every full build, even one that began earlier.
FIRST = datetime(2000, 1, 1, tzinfo=UTC)

HELD = "product links"
KIND = "links"
KIND_REALTIME = "links-realtime"


def plan(parameters: LinkingParameters, run: Run, settings: Settings) -> Build:
    """Begin a linking, or find this run's own to be resumed, with its index ready to be written.

    Raises:
        InputError: the input, the model or the collection cannot be used.
        GateFailed: the input is much smaller than what is served.
        ContractError: the model that made the collection's vectors is not served; in realtime mode also: the keywords
            that the served index links to are gone.
    """
    spec = get_model(parameters.model)
    source = Source(find_input(parameters.products), parameters.text_column)
    with servers_of(parameters, settings) as servers:
        collection = _keywords(parameters, servers)
        facts = {
            "parameters": parameters.model_dump(mode="json"),
            "model": spec.name,
            "model_fingerprint": Embedder.of_collection(servers.triton, spec, collection).fingerprint,
            KEYWORDS: collection.generation,
            "keyword_points": collection.points,
        }
        log.info("stage 1/5: reading %s; keywords of %s", source.path, collection.generation)
        build = _begun(parameters, source, run, servers, settings, facts=facts)
        log.info("stage 2/5: %d products in %d shards; making the index", build.input.rows, build.input.shards)
        _make_index(build, parameters, servers.generations, settings)
    return build


def _keywords(parameters: LinkingParameters, servers: Servers) -> CollectionInfo:
    """Those that are served; in realtime mode those that the served index links to already."""
    if parameters.mode == "realtime" and (target := served_target(parameters, servers)) is not None:
        return servers.store.info(target.keywords)
    return served_collection(servers.store, parameters.collection)


def _begun(
    parameters: LinkingParameters, source: Source, run: Run, servers: Servers, settings: Settings, *,
    facts: Mapping[str, Any],
) -> Build:  # fmt: skip
    """The run's build; a new one when its products went into an index that is not served, or when it can never end."""
    kind = KIND_REALTIME if parameters.mode == "realtime" else KIND

    def begun(run: Run) -> Build:
        return begin(
            settings, kind, parameters.index, source, run,
            limit=parameters.limit, shard_rows=settings.link_shard_rows, facts=facts,
        )  # fmt: skip

    build, served = begun(run), servers.generations.resolve()
    while gone := _not_served(build, served):
        if kind == KIND:
            refuse_older(parameters.index, served, build.generation)
        log.info("%s went into %s, but %s is served now: a new build is begun", build.generation, gone, served)
        run = replace(run, key=run_key(run.key, served or ""))
        build = begun(run)
    if kind == KIND_REALTIME:  # takes the keywords of the index that is served when it links
        return build

    def check(build: Build) -> None:
        servers.store.info(build.facts[KEYWORDS])
        pinned_embedder(build, servers)

    anew = replace(run, key=run_key(run.key, facts[KEYWORDS], facts["model_fingerprint"]))
    return unless_stuck(build, check, lambda: begun(anew))


def _not_served(build: Build, served: str | None) -> str:
    """The index that the build's products went into when it is not ``served``, else nothing.

    A full build that is not published has an index of its own, which is not served yet.
    """
    if (published := build.published()) is not None:
        return "" if published["generation"] == served else str(published["generation"])
    elsewhere = linked_elsewhere(build, served) if build.kind == KIND_REALTIME else {}
    return ", ".join(sorted(set(elsewhere.values())))


def _make_index(build: Build, parameters: LinkingParameters, generations: IndexGenerations, settings: Settings) -> None:
    """Create what the build writes into: a new generation, or in realtime mode the served one if there is none."""
    generations.refuse_foreign(HELD, unknown=parameters.mode == "realtime")
    meta = {"kind": HELD, "model": build.facts["model"], KEYWORDS: build.facts[KEYWORDS]}
    shape: dict[str, Any] = {"shards": settings.es_shards, "replicas": settings.es_replicas, "meta": meta}
    if parameters.mode == "bulk":
        if build.published() is None:
            if not parameters.keep_others:  # else what is served is in the new one too
                refuse_smaller(build, generations, build.input.rows)
            generations.create(build.generation, LINK_MAPPING, bulk_load=True, **shape)
        return
    if generations.resolve() is None:
        purpose = f"make index {parameters.index}"
        with writing_index(settings, parameters.index, purpose=purpose, alone=True):
            if generations.resolve() is None:
                first = generation_name(parameters.index, FIRST, build.run_key)
                generations.create(first, LINK_MAPPING, bulk_load=False, **shape)
                generations.promote(first)
