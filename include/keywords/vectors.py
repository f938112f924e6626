"""Keywords as vectors: plan → embed shards → load and seal a generation → gate → promote."""

from __future__ import annotations

import logging
import time
from collections.abc import Iterable, Iterator
from contextlib import closing, contextmanager
from dataclasses import asdict, replace
from typing import Any

from include.catalog.fingerprint import vector_fingerprint
from include.catalog.models import get_model
from include.errors import ContractError, EmbsearchError, GateFailed
from include.generations.counts import Counts
from include.generations.names import run_key
from include.generations.promotion import refuse_older
from include.generations.run import Run
from include.keywords.parameters import VectorIndexParameters
from include.keywords.progress import Progress
from include.keywords.reuse import KnownVectors
from include.keywords.serving import KIND, refuse_smaller, take_name
from include.keywords.vector_shards import blocks, embed_shard, reused_rows
from include.settings import Settings
from include.sources.build import Build
from include.sources.builds import all_builds, begin, unless_stuck
from include.sources.files import Source, find_input
from include.triton.client import TritonClient
from include.triton.embedder import Embedder
from include.vector_store.gate import check_vectors
from include.vector_store.open import store_of
from include.vector_store.protocol import KeywordStore

log = logging.getLogger(__name__)

PARAMETERS = VectorIndexParameters


def plan(parameters: VectorIndexParameters, run: Run, settings: Settings) -> Build:
    """Cut the keywords into shards and fix the model that embeds them.

    Raises:
        InputError: the input or the model cannot be used.
        GateFailed: the input is much smaller than what is served.
        ServiceUnavailable: Triton or the vector store does not answer.
    """
    spec = get_model(parameters.model)
    log.info("reading %s", parameters.input)
    source = Source(find_input(parameters.input), parameters.text_column, parameters.id_column)
    with TritonClient(parameters.kserve_url) as client:
        served = client.served(spec.name)
        facts = {
            "parameters": parameters.model_dump(mode="json"),
            "model": spec.name,
            "model_version": served.version,
            "model_fingerprint": served.fingerprint,
            "vector_fingerprint": vector_fingerprint(served.fingerprint, spec.prefixes.semantic),
            "dimension": served.dimension,
        }

        def begun(run: Run) -> Build:
            return begin(
                settings, KIND, parameters.collection, source, run,
                limit=parameters.limit, shard_rows=settings.vector_shard_rows, facts=facts,
            )  # fmt: skip

        anew = replace(run, key=run_key(run.key, served.fingerprint))
        build = unless_stuck(begun(run), lambda build: _embedder(client, build), lambda: begun(anew))
    if build.published() is None:
        with closing(store_of(settings, parameters.qdrant_url)) as store:
            refuse_smaller(build, store)
    return build


def run_shards(build: Build, shards: Iterable[int], settings: Settings) -> Counts:
    """Embed the shards that are not finished; return what became of all of them.

    Raises:
        ContractError: Triton serves another model than when the build was planned.
    """
    parameters = VectorIndexParameters(**build.facts["parameters"])
    embedder = None
    known = None
    total = Counts()
    shards = list(shards)
    progress = Progress(sum(build.row_count(index) for index in shards if build.finished(index) is None))
    triton = TritonClient(parameters.kserve_url, batch_size=parameters.batch_size, concurrency=parameters.workers)
    with triton as client:
        for index in shards:
            manifest = build.finished(index)
            if manifest is None:
                embedder = embedder or _embedder(client, build)
                known = known if known is not None else _known_vectors(build, settings)
                manifest = embed_shard(build, index, embedder, known, progress)
                log.info("shard %d/%d: %s", index + 1, build.input.shards, manifest.counts.as_dict())
            total += manifest.counts
    return total


def _embedder(client: TritonClient, build: Build) -> Embedder:
    fingerprint = build.facts["model_fingerprint"]
    return Embedder.pinned(client, get_model(build.facts["model"]), fingerprint=fingerprint, begun=build.generation)


def _known_vectors(build: Build, settings: Settings) -> KnownVectors:
    """Vectors of the newest published build with the same fingerprint.

    Raises:
        ContractError: a part of it has changed since it was made.
    """
    for earlier in reversed(list(all_builds(settings, KIND, build.alias))):
        same = earlier.facts["vector_fingerprint"] == build.facts["vector_fingerprint"]
        if same and earlier.uri != build.uri and earlier.published():
            parts = [earlier.shard(i).part for i in range(earlier.input.shards) if earlier.finished(i)]
            known = KnownVectors(parts, scratch=build.folder.folder)
            log.info("%d vectors of %s can be used again", len(known), earlier.generation)
            return known
    return KnownVectors([], scratch=build.folder.folder)


def publish(build: Build, settings: Settings) -> dict[str, Any]:
    """Load all shards into a generation, check it, and serve it; return the figures.

    Raises:
        GateFailed: a check did not pass, or it is much smaller; the generation served before goes on.
        ContractError: a shard is missing, or a newer generation is served already.
    """
    if (summary := build.published()) is not None:
        return summary
    parameters = VectorIndexParameters(**build.facts["parameters"])
    counts = build.counts()
    began = time.monotonic()
    store = store_of(settings, parameters.qdrant_url)
    try:
        refuse_older(build.alias, store.resolve(build.alias), build.generation)
        _load(build, store, expected=counts.written)
        indexed = time.monotonic()
        with _or_dropped(build, store):
            figures = check_vectors(
                store, build.generation, lambda: ((ids, vectors) for ids, vectors, _ in blocks(build)),
                expected=counts.written, min_recall=parameters.min_recall,
            )  # fmt: skip
            previous = take_name(build, store, settings)
    finally:
        store.close()
    seconds = build.all_seconds(index=indexed - began, gate=time.monotonic() - indexed)
    summary = _summary(build, counts, asdict(figures), seconds, previous)
    build.mark_published(summary)
    return summary


def _load(build: Build, store: KeywordStore, *, expected: int) -> None:
    """Make the generation of the finished shards, unless it stands since an interrupted try."""
    if build.generation in store.generations(build.alias):
        return
    store.begin(
        build.generation, dimension=build.facts["dimension"],
        model=build.facts["model"], model_fingerprint=build.facts["model_fingerprint"],
    )  # fmt: skip
    for ids, vectors, keywords in blocks(build):
        store.upsert(build.generation, ids, vectors, keywords)
    store.seal(build.generation, expected=expected)


@contextmanager
def _or_dropped(build: Build, store: KeywordStore) -> Iterator[None]:
    """Drop a generation that is refused: nobody should roll back to it."""
    try:
        yield
    except EmbsearchError as error:
        if isinstance(error, (GateFailed, ContractError)):
            store.drop(build.generation)
        refuse_older(build.alias, store.resolve(build.alias), build.generation)  # a newer one has dropped this one
        raise


def _summary(
    build: Build, counts: Counts, figures: dict[str, Any], seconds: dict[str, float], previous: str | None
) -> dict[str, Any]:
    return {
        "collection": build.alias,
        "qdrant_url": build.facts["parameters"]["qdrant_url"],
        "generation": build.generation,
        "previous": previous,
        "model": build.facts["model"],
        "model_fingerprint": build.facts["model_fingerprint"],
        **build.told(counts),
        "reused": reused_rows(build),
        "gate": figures,
        "seconds": seconds,
    }
