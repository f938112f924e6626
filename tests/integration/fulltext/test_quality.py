"""The quality of searches of a real collection: measured, remembered, and an error when it drops."""

from __future__ import annotations

import json
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from include.errors import ContractError, GateFailed, InputError
from include.fulltext.evaluation import evaluate
from include.fulltext.parameters import SearchQualityParameters
from search_ops.assets import SEARCH_QUALITY
from search_ops.operators.search_quality import SearchQualityOperator
from tests.integration.fulltext.library import Library
from tests.integration.fulltext.six_documents import seed
from tests.integration.fulltext.test_vector_search import index_vectors
from tests.integration.runs import new_run
from tests.integration.triton_server import TritonServer

QUERIES = [
    {"query": "登山リュック", "language": "ja", "relevant": {"backpack": 2}},
    {"query": "折りたたみ傘", "language": "ja", "relevant": {"umbrella": 2}},
    {"query": "tent pegs", "language": "en", "relevant": {"tent": 2}},
    {"query": "limescale in a kettle", "language": "en", "relevant": {"kettle": 2}},
]


@pytest.fixture
def relevance(tmp_path: Path) -> Path:
    return write_set(tmp_path / "relevance.jsonl", QUERIES)


def write_set(path: Path, queries: list[dict[str, Any]]) -> Path:
    path.write_text("\n".join(map(json.dumps, queries)), encoding="utf-8")
    return path


def parameters(library: Library, relevance: Path, **values: Any) -> SearchQualityParameters:
    given = {
        "relevance": str(relevance), "collection": library.collection, "es_url": library.settings.es_url,
        "qdrant_url": f"exact:{library.folder / 'vectors'}", "model": "minilm",
    }  # fmt: skip
    return SearchQualityParameters(**{**given, **values})


def measure(library: Library, relevance: Path, **values: Any) -> dict[str, Any]:
    return evaluate(parameters(library, relevance, **values), new_run(), library.settings)


def test_figures_tell_of_each_language_and_of_all_and_are_small_enough_for_an_event(
    library: Library, relevance: Path
) -> None:
    seed(library)
    found = measure(library, relevance)
    perfect = {"recall": 1.0, "mrr": 1.0, "ndcg": 1.0}
    assert found["quality"] == {
        "text": {"en": {"queries": 2, **perfect}, "ja": {"queries": 2, **perfect}, "all": {"queries": 4, **perfect}}
    }
    assert found["missing_documents"] == 0
    assert len(json.dumps(found).encode()) < 4096
    latest = library.settings.state_dir / "quality" / library.collection / "latest.json"
    assert json.loads(latest.read_text()) == found


def test_a_drop_fails_until_it_is_mended_or_accepted_and_names_the_figures_and_the_documents_that_are_gone(
    library: Library, relevance: Path
) -> None:
    seed(library)
    measure(library, relevance)
    library.delete("umbrella")
    for _ in range(2):  # what was good stays what is compared with
        with pytest.raises(GateFailed, match=r"text ja recall 1.000 → 0.500.*documents are gone: umbrella"):
            measure(library, relevance)
    assert measure(library, relevance, max_drop=1.0)["missing_documents"] == 1
    with pytest.raises(GateFailed, match="text all ndcg 1.000 → 0.750"):
        measure(library, relevance)
    assert measure(library, relevance, accept=True)["quality"]["text"]["ja"]["recall"] == 0.5
    measure(library, relevance)
    library.index()
    assert measure(library, relevance)["quality"]["text"]["ja"]["recall"] == 1
    library.delete("umbrella")
    with pytest.raises(GateFailed, match="has become worse"):
        measure(library, relevance)


def test_a_floor_that_is_not_reached_fails(library: Library, tmp_path: Path) -> None:
    seed(library)
    hard = write_set(tmp_path / "hard.jsonl", [{"query": "kettle", "language": "en", "relevant": {"tent": 1}}])
    with pytest.raises(GateFailed, match="text all ndcg 0.000 is below the floor of 0.5"):
        measure(library, hard, min_ndcg=0.5)


def test_an_edited_relevance_set_starts_anew_and_says_so(
    library: Library, relevance: Path, caplog: pytest.LogCaptureFixture
) -> None:
    seed(library)
    measure(library, relevance)
    measure(library, relevance)
    assert "nothing is compared" not in caplog.text
    write_set(relevance, [*QUERIES, {"query": "kettle", "language": "en", "relevant": {"tent": 1}}])
    assert measure(library, relevance)["quality"]["text"]["en"]["recall"] < 1
    (told,) = [one.getMessage() for one in caplog.records if "nothing is compared" in one.getMessage()]
    assert f"{relevance} is not the relevance set that {library.collection} was measured with before" in told
    measure(library, relevance)
    assert caplog.text.count("nothing is compared") == 1


def test_a_collection_or_a_set_that_cannot_be_used_is_an_error(
    library: Library, relevance: Path, tmp_path: Path
) -> None:
    with pytest.raises(InputError, match="is served. Index documents first"):
        measure(library, relevance)
    seed(library)
    foreign = write_set(tmp_path / "foreign.jsonl", [{"query": "tent", "language": "en", "relevant": {"x.md": 1}}])
    with pytest.raises(InputError, match=r"none of the 1 documents of .*foreign.jsonl, such as 'x.md'"):
        measure(library, foreign)


def test_a_damaged_memory_of_figures_is_an_error_that_says_what_to_do(library: Library, relevance: Path) -> None:
    seed(library)
    measure(library, relevance)
    (kept,) = (library.settings.state_dir / "quality" / library.collection).glob("baseline_*.json")
    kept.write_text("{")
    with pytest.raises(ContractError, match="remove it"):
        measure(library, relevance)


def test_a_measurement_has_more_time_than_a_search_that_somebody_waits_for(library: Library, relevance: Path) -> None:
    seed(library)
    hasty = library.settings.model_copy(update={"fulltext_timeout_seconds": 1e-6})
    found = evaluate(parameters(library, relevance), new_run(), hasty)
    assert found["quality"]["text"]["all"]["recall"] == 1


def test_vectors_are_measured_where_there_are_any_and_missed_when_they_are_gone(
    library: Library, relevance: Path, served_minilm: TritonServer
) -> None:
    seed(library)
    url, triton = f"exact:{library.folder / 'vectors'}", served_minilm.settings.kserve_url
    assert list(measure(library, relevance, kserve_url=triton)["quality"]) == ["text"]
    index_vectors(library, served_minilm, url)
    found = measure(library, relevance, kserve_url=triton)["quality"]
    assert list(found) == ["text", "vector", "hybrid"]
    assert found["vector"]["en"]["recall"] == 1
    elsewhere = f"exact:{library.folder / 'elsewhere'}"
    with pytest.raises(GateFailed, match="mode vector was measured before and was not now"):
        measure(library, relevance, kserve_url=triton, qdrant_url=elsewhere)


def test_the_task_sends_the_figures_with_the_asset(library: Library, relevance: Path) -> None:
    seed(library)
    asked = parameters(library, relevance).model_dump()
    operator = SearchQualityOperator(task_id="measure", outlets=[SEARCH_QUALITY])
    operator.__dict__["settings"] = library.settings
    now = new_run().date
    run = SimpleNamespace(dag_id="search_quality", run_id="manual", data_interval_end=None, run_after=now, conf={})
    event = SimpleNamespace(extra=None)
    found = operator.execute({"dag_run": run, "params": asked, "outlet_events": {SEARCH_QUALITY: event}})
    assert event.extra == found
    assert found["quality"]["text"]["all"]["mrr"] == 1
