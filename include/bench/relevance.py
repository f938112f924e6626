"""The relevance set of the samples: the project's own tokens beside plain analysis, and the modes beside each other."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import asdict
from datetime import UTC, datetime
from typing import Any, Literal
from uuid import uuid4

from elasticsearch import Elasticsearch

from include.bench.figures import Figure
from include.bench.fulltext import COLLECTION, RELEVANCE, index, own_state
from include.bench.passages import SAMPLES
from include.catalog.models import get_model
from include.elastic.connection import EsConnection, connect
from include.fulltext.chunk_file import write_chunk_file
from include.fulltext.parameters import DocumentSearchParameters
from include.fulltext.quality import Quality, measured
from include.fulltext.relevance import RelevantQuery, read_relevance_set
from include.fulltext.results import DocumentWithScore
from include.fulltext.runners import open_runner
from include.generations.names import run_key
from include.generations.run import Run
from include.keywords.parameters import VectorIndexParameters
from include.settings import Settings
from include.workflow import run_workflow

Mode = Literal["text", "vector", "hybrid"]


def analysis_figures(settings: Settings) -> list[Figure]:
    """recall@5 and MRR@10 of the samples' queries by own tokens, against `standard` in the same search and alone."""
    queries = read_relevance_set(RELEVANCE).queries
    standard = f"{COLLECTION}-standard"
    with own_state(settings) as own:
        index(own, SAMPLES)
        index(own, SAMPLES, standard, analysis="standard")
        ours = in_mode(own, "text", COLLECTION, queries)
        same_search = in_mode(own, "text", standard, queries)
        with connect(EsConnection.from_settings(own)) as client:
            plain = measured(queries, _plain_match(client, standard))
    details = {name: _rows(each) for name, each in (("tokens", ours), ("standard", same_search), ("match", plain))}
    return [
        Figure(
            f"{name} of {language}, own tokens against {against}", getattr(ours[language], measure),
            getattr(each[language], measure) or 0.0001, "", 1.0, details=details,
        )
        for against, each in (("standard", same_search), ("a plain match by standard", plain))
        for measure, name in (("recall", "recall@5"), ("mrr", "MRR@10"))
        for language in ours
    ]  # fmt: skip


def mode_figures(settings: Settings) -> list[Figure]:
    """nDCG@10 of the hybrid search against the better of text and vector, by language."""
    queries = read_relevance_set(RELEVANCE).queries
    with own_state(settings) as own:
        index(own, SAMPLES, chunk_unit="tokens")
        _make_vectors(own)
        modes: tuple[Mode, ...] = ("text", "vector", "hybrid")
        found = {mode: in_mode(own, mode, COLLECTION, queries) for mode in modes}
    spoken = get_model(own.model, own).languages
    details: dict[str, Any] = {"model": own.model, "its_languages": list(spoken)}
    details |= {mode: _rows(each) for mode, each in found.items()}
    return [
        Figure(
            f"nDCG@10 of {language}, hybrid against the better of text and vector ({own.model})",
            found["hybrid"][language].ndcg, max(found["text"][language].ndcg, found["vector"][language].ndcg), "", 1.0,
            details=details,
        )
        for language in found["hybrid"]
    ]  # fmt: skip


def in_mode(settings: Settings, mode: Mode, collection: str, queries: Sequence[RelevantQuery]) -> dict[str, Quality]:
    """The quality of one mode, with strict faults."""
    asked = DocumentSearchParameters(
        mode=mode, collection=collection, faults="strict", model=settings.model, es_url=settings.es_url,
        qdrant_url=settings.qdrant_url, kserve_url=settings.kserve_url,
    )  # fmt: skip
    with open_runner(asked, settings) as runner:
        return measured(queries, runner.search)


def _plain_match(client: Elasticsearch, collection: str) -> Callable[[str, int], list[DocumentWithScore]]:
    """What a search without keywords, stop words or shares is: one query over title and content."""

    def search(query: str, top_k: int) -> list[DocumentWithScore]:
        fields = ["chunks.title", "chunks.content"]
        nested = {"path": "chunks", "score_mode": "max", "query": {"multi_match": {"query": query, "fields": fields}}}
        answer = client.search(index=collection, size=top_k, source_includes=["document_id"], query={"nested": nested})
        return [
            DocumentWithScore("", float(hit["_score"]), {"document_id": hit["_source"]["document_id"]})
            for hit in answer["hits"]["hits"]
        ]

    return search


def _make_vectors(settings: Settings) -> None:
    """Vectors of the collection's chunks, as the DAG makes them."""
    chunks = write_chunk_file(COLLECTION, settings)
    parameters = VectorIndexParameters(
        input=chunks["input"], collection=chunks["collection"], text_column="content", id_column="chunk_number",
        model=settings.model, qdrant_url=settings.qdrant_url, kserve_url=settings.kserve_url,
    )  # fmt: skip
    run = Run(run_key("bench", uuid4().hex), datetime.now(UTC))
    run_workflow("include.keywords.vectors", parameters, run, settings)


def _rows(by_language: dict[str, Quality]) -> dict[str, Any]:
    return {name: asdict(one) for name, one in by_language.items()}
