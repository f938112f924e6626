"""The beginning of a linking: fix the keyword generation and the model, cut the input, make the index."""

from __future__ import annotations

import logging
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

from include.catalog.models import get_model
from include.elastic.connection import EsConnection, connect
from include.elastic.index_generations import IndexGenerations
from include.elastic.mappings import LINK_MAPPING
from include.elastic.promotion import refuse_smaller
from include.generations.names import generation_name, run_key
from include.generations.promotion import refuse_older
from include.generations.run import Run
from include.linking.locks import writing_index
from include.linking.parameters import LinkingParameters
from include.settings import Settings
from include.sources.build import Build
from include.sources.builds import begin
from include.sources.files import Source, find_input
from include.triton.client import TritonClient
from include.triton.embedder import Embedder
from include.vector_store.collection import served_collection
from include.vector_store.open import store_of

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
        ContractError: the model that made the collection's vectors is not served.
    """
    spec = get_model(parameters.model)
    source = Source(find_input(parameters.products), parameters.text_column)
    store = store_of(settings, parameters.qdrant_url)
    try:
        collection = served_collection(store, parameters.collection)
    finally:
        store.close()
    with TritonClient(parameters.kserve_url) as client:
        fingerprint = Embedder.of_collection(client, spec, collection).fingerprint
    facts = {
        "parameters": parameters.model_dump(mode="json"),
        "model": spec.name,
        "model_fingerprint": fingerprint,
        "keyword_generation": collection.generation,
        "keyword_points": collection.points,
    }
    kind = KIND_REALTIME if parameters.mode == "realtime" else KIND
    log.info("stage 1/5: reading %s; keywords of %s", source.path, collection.generation)

    def begun(run: Run) -> Build:
        return begin(
            settings, kind, parameters.index, source, run,
            limit=parameters.limit, shard_rows=settings.link_shard_rows, facts=facts,
        )  # fmt: skip

    build = begun(run)
    if (published := build.published()) is not None:
        served = _served_index(parameters, settings)
        if served != published["generation"]:
            if kind == KIND:
                refuse_older(parameters.index, served, build.generation)
            log.info("%s was published into %s; %s is served now", build.generation, published["generation"], served)
            build = begun(replace(run, key=run_key(run.key, served or "")))
    log.info("stage 2/5: %d products in %d shards; making the index", build.input.rows, build.input.shards)
    make_index(build, settings)
    return build


def _served_index(parameters: LinkingParameters, settings: Settings) -> str | None:
    with connect(EsConnection.from_settings(settings, urls=parameters.es_url)) as client:
        return IndexGenerations(client, parameters.index).resolve()


def make_index(build: Build, settings: Settings) -> None:
    """Create what the build writes into: a new generation, or in realtime mode the served one if there is none."""
    parameters = LinkingParameters(**build.facts["parameters"])
    with connect(EsConnection.from_settings(settings, urls=parameters.es_url)) as client:
        generations = IndexGenerations(client, parameters.index)
        generations.refuse_foreign(HELD, unknown=parameters.mode == "realtime")
        meta = {"kind": HELD, "model": build.facts["model"], "keyword_generation": build.facts["keyword_generation"]}
        shape: dict[str, Any] = {"shards": settings.es_shards, "replicas": settings.es_replicas, "meta": meta}
        if parameters.mode == "bulk":
            if build.published() is None:
                refuse_smaller(build, generations, build.input.rows)
                generations.create(build.generation, LINK_MAPPING, bulk_load=True, **shape)
            return
        with writing_index(settings, parameters.index, purpose=f"make index {parameters.index}", alone=True):
            if generations.resolve() is None:
                first = generation_name(parameters.index, FIRST, build.run_key)
                generations.create(first, LINK_MAPPING, bulk_load=False, **shape)
                generations.promote(first)
        build.once("index", lambda: {"index": generations.resolve()})
