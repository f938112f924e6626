"""The servers that a linking works with, and the pipeline that leads from them to an index."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass

from include.catalog.models import get_model
from include.elastic.bulk import BulkWriter
from include.elastic.connection import EsConnection, connect
from include.elastic.index_generations import IndexGenerations
from include.elastic.linked_keywords import KEYWORDS
from include.elastic.replay import dead_letter_folder
from include.errors import ContractError, InputError
from include.generations.names import alias_of
from include.linking.parameters import LinkingParameters
from include.linking.pipeline import LinkPipeline
from include.linking.progress import Progress
from include.settings import Settings
from include.sources.build import Build
from include.triton.client import TritonClient
from include.triton.embedder import Embedder
from include.vector_store.collection import keyword_table, served_collection
from include.vector_store.open import store_of
from include.vector_store.protocol import KeywordStore


@dataclass(frozen=True)
class Servers:
    """Triton, the keyword vectors, and the index with its generations."""

    triton: TritonClient
    store: KeywordStore
    generations: IndexGenerations


@contextmanager
def servers_of(parameters: LinkingParameters, settings: Settings) -> Iterator[Servers]:
    """The servers that the parameters name, closed at the end."""
    with ExitStack() as stack:
        triton = stack.enter_context(
            TritonClient(parameters.kserve_url, batch_size=parameters.batch_size, concurrency=parameters.workers)
        )
        client = stack.enter_context(connect(EsConnection.from_settings(settings, urls=parameters.es_url)))
        store = store_of(settings, parameters.qdrant_url)
        stack.callback(store.close)
        yield Servers(triton, store, IndexGenerations(client, parameters.index))


@dataclass(frozen=True)
class Target:
    """Where links go, and the keyword generation that they lead to."""

    index: str  # a generation, not an alias
    keywords: str


def served_target(parameters: LinkingParameters, servers: Servers) -> Target | None:
    """The served index with its own keywords: all links of an index are to one generation. None when none is served.

    Raises:
        ContractError: those keywords are there no more, or are not those of the collection that was asked for.
    """
    index = servers.generations.resolve()
    if index is None:
        return None
    keywords = servers.generations.meta(index).get(KEYWORDS)
    if keywords is None:  # not made by a linking
        keywords = served_collection(servers.store, parameters.collection).generation
    remedy = "Link all products anew: DAG product_linking, or embsearch link"
    if alias_of(keywords) != parameters.collection:
        msg = f"{index} links to keywords of {alias_of(keywords)!r}, not of {parameters.collection!r}. {remedy}."
        raise ContractError(msg)
    try:
        servers.store.info(keywords)
    except InputError as error:
        msg = f"{index} links to {keywords}, which is not at {parameters.qdrant_url} any more. {remedy}."
        raise ContractError(msg) from error
    return Target(index, keywords)


def pinned_embedder(build: Build, servers: Servers) -> Embedder:
    """The model that the build was begun with.

    Raises:
        ContractError: it is served no more.
    """
    spec, fingerprint = get_model(build.facts["model"]), build.facts["model_fingerprint"]
    return Embedder.pinned(servers.triton, spec, fingerprint=fingerprint, begun=build.generation)


def pipeline_to(
    target: Target, embedder: Embedder, build: Build, servers: Servers, settings: Settings, *, progress: Progress
) -> LinkPipeline:
    """The build's pipeline into ``target``; what is written into a served index can be searched as it lands."""
    parameters = LinkingParameters(**build.facts["parameters"])
    writer = BulkWriter(
        servers.generations.client, target.index, run_id=build.generation, dead_letters=dead_letter_folder(settings),
        version=build.version, refresh=parameters.mode == "realtime",
    )  # fmt: skip
    return LinkPipeline(
        embedder, servers.store, target.keywords, keyword_table(servers.store, target.keywords), writer,
        parameters.top_k, parameters.batch_size, parameters.workers, progress,
    )  # fmt: skip
