"""The beginning of a linking: fix the keyword generation and the model, cut the input, make the index."""

from __future__ import annotations

import logging

from include.catalog.models import get_model
from include.elastic.connection import EsConnection, connect
from include.elastic.index_generations import IndexGenerations
from include.elastic.mappings import LINK_MAPPING
from include.errors import ContractError, InputError
from include.linking.parameters import LinkingParameters
from include.settings import Settings
from include.sources.build import Build, Run, begin
from include.sources.files import Source, find_input
from include.triton.client import ServedModel, TritonClient
from include.vector_store.open import open_store
from include.vector_store.protocol import CollectionInfo

log = logging.getLogger(__name__)

KIND = "links"
KIND_REALTIME = "links-realtime"
SHARD_ROWS = 1024


def plan(parameters: LinkingParameters, run: Run, settings: Settings) -> Build:
    """Begin a linking, or find this run's own to be resumed, with its index ready to be written.

    Raises:
        InputError: the input, the model or the collection cannot be used.
        ContractError: the served model is not the one that made the collection's vectors.
    """
    spec = get_model(parameters.model)
    source = Source(find_input(parameters.products), parameters.text_column)
    with TritonClient.from_settings(settings, urls=parameters.kserve_url) as client:
        served = client.served(spec.name)
    collection = _collection(parameters, settings)
    check_same_model(served, collection)
    facts = {
        "parameters": parameters.model_dump(mode="json"),
        "model": spec.name,
        "model_fingerprint": served.fingerprint,
        "keyword_generation": collection.generation,
        "keyword_points": collection.points,
    }
    kind = KIND_REALTIME if parameters.mode == "realtime" else KIND
    build = begin(
        settings, kind, parameters.index, source, run, limit=parameters.limit, shard_rows=SHARD_ROWS, facts=facts
    )
    make_index(build, settings)
    return build


def _collection(parameters: LinkingParameters, settings: Settings) -> CollectionInfo:
    store = open_store(parameters.qdrant_url, api_key=settings.qdrant_api_key)
    try:
        generation = store.resolve(parameters.collection)
        if generation is None:
            msg = (
                f"Collection {parameters.collection!r} is not served by {parameters.qdrant_url}. "
                "Index keywords first: embsearch index-vectors, or DAG keyword_vector_index."
            )
            raise InputError(msg)
        return store.info(generation)
    finally:
        store.close()


def check_same_model(served: ServedModel, collection: CollectionInfo) -> None:
    """Raise ContractError unless queries by ``served`` can be compared with the vectors of ``collection``."""
    if served.fingerprint != collection.model_fingerprint:
        msg = (
            f"{collection.generation} holds vectors of {collection.model} ({collection.model_fingerprint[:12]}), but "
            f"Triton serves {served.name} version {served.version} ({served.fingerprint[:12]}): their scores would "
            "mean nothing. Index the keywords again with the served model, or roll the model back."
        )
        raise ContractError(msg)


def make_index(build: Build, settings: Settings) -> None:
    """Create what the build writes into: a new generation, or in realtime mode the served one if there is none."""
    parameters = LinkingParameters(**build.facts["parameters"])
    with connect(EsConnection.from_settings(settings, urls=parameters.es_url)) as client:
        generations = IndexGenerations(client, parameters.index)
        realtime = parameters.mode == "realtime"
        if build.published() is not None or (realtime and generations.resolve() is not None):
            return
        meta = {"model": build.facts["model"], "keyword_generation": build.facts["keyword_generation"]}
        generations.create(
            build.generation, LINK_MAPPING, shards=settings.es_shards, replicas=settings.es_replicas,
            bulk_load=not realtime, meta=meta,
        )  # fmt: skip
        if realtime:
            generations.promote(build.generation)
