"""The measurements of documents measure real work; whether their goals are met is for a quiet machine to say."""

from __future__ import annotations

from include.bench.fulltext import COLLECTION, indexing_figures, reading_figures
from include.bench.relevance import analysis_figures, mode_figures
from tests.integration.fulltext.library import Library
from tests.integration.triton_server import TritonServer


def test_own_tokens_find_what_the_shipped_queries_want_better_than_standard_in_each_language(library: Library) -> None:
    figures = {figure.name: figure for figure in analysis_figures(library.settings)}
    for against in ("standard", "a plain match by standard"):
        assert figures[f"recall@5 of all, own tokens against {against}"].ratio > 1
        assert figures[f"MRR@10 of all, own tokens against {against}"].ratio > 1
    for language in ("en", "ja", "ko", "zh"):
        assert figures[f"recall@5 of {language}, own tokens against standard"].ours >= 0.9
        assert figures[f"MRR@10 of {language}, own tokens against standard"].ours >= 0.8
    assert nothing_is_left(library)


def test_the_hybrid_search_is_no_worse_than_the_better_of_text_and_vector_in_any_language(
    library: Library, served_minilm: TritonServer
) -> None:
    settings = served_minilm.settings.model_copy(
        update={"es_url": library.settings.es_url, "state_dir": library.settings.state_dir, "model": "minilm"}
    )
    figures = mode_figures(settings)
    assert len(figures) == 5
    assert [figure.name for figure in figures if not figure.reached] == []
    assert nothing_is_left(library)


def test_figures_of_a_small_run_are_complete_and_leave_nothing_behind(library: Library) -> None:
    bulk, job = indexing_figures(library.settings, documents=40, repeats=1)
    assert bulk.ours > 0 < bulk.baseline
    assert job.ours > 0 < job.baseline
    p50, p95 = reading_figures(library.settings, chunks=200, seconds=1)
    assert 0 < p50.ours <= p95.ours
    assert p50.details["chunks"] >= 180
    assert p50.details["searches"] > 0
    assert p50.details["documents_indexed_meanwhile"] > 0
    assert nothing_is_left(library)


def nothing_is_left(library: Library) -> bool:
    with library.client() as client:
        indexes = list(client.indices.get(index=f"{COLLECTION}*"))
    return not indexes and not list((library.settings.state_dir / "bench").iterdir())
