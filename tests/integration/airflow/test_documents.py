"""Documents in real Airflow: indexed, their vectors caused by that, searched in three modes, measured, backfilled."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from include.cli.dag_runs import caused_run
from tests.integration.running_stack import DAYS, RunningStack

EMBSEARCH = ".local/venvs/airflow/bin/embsearch"
DOCUMENTS = 24  # in samples/documents/en
WASHING = "washing-a-backpack.md"


@pytest.fixture(scope="module")
def indexed(running_stack: RunningStack, chain: dict[str, dict[str, Any]]) -> dict[str, Any]:
    """The figures of the samples in English, indexed by hand, and of the vectors that this caused."""
    api, before = running_stack.api, datetime.now(UTC)
    for dag in ("document_fulltext_index", "document_vector_index", "search_quality"):
        api.set_paused(dag, paused=False)
    run = api.trigger("document_fulltext_index", {"input": "samples/documents/en"})
    assert api.wait("document_fulltext_index", run, seconds=300) == "success"
    caused = caused_run(api, "document_vector_index", before)
    assert api.wait("document_vector_index", caused, seconds=300) == "success"
    return {
        "text": api.xcom("document_fulltext_index", run, "index"),
        "chunks": api.xcom("document_fulltext_index", run, "chunks"),
        "vectors": api.xcom("document_vector_index", caused, "publish"),
    }


def test_documents_are_indexed_and_their_vectors_follow_by_the_event(indexed: dict[str, Any]) -> None:
    assert indexed["text"]["counts"] == {"read": DOCUMENTS, "written": DOCUMENTS, "skipped": {}, "dead": 0}
    assert indexed["text"]["chunks"] >= DOCUMENTS
    assert indexed["vectors"]["collection"] == "documents_vectors"
    assert indexed["vectors"]["counts"]["written"] == indexed["chunks"]["texts"]


@pytest.mark.parametrize("mode", ["text", "vector", "hybrid"])
def test_they_are_found_in_every_mode(running_stack: RunningStack, indexed: dict[str, Any], mode: str) -> None:
    said = running_stack.run(EMBSEARCH, "search", "--mode", mode, "--top-k", "3", "how do I wash a backpack")
    assert "backpack" in said.partition("washing-a-")[2], said


def test_a_run_again_finds_nothing_new_and_causes_nothing(running_stack: RunningStack, indexed: dict[str, Any]) -> None:
    api = running_stack.api
    runs = len(api.runs("document_vector_index"))
    run = api.trigger("document_fulltext_index", {"input": "samples/documents/en"})
    assert api.wait("document_fulltext_index", run, seconds=300) == "success"
    assert api.xcom("document_fulltext_index", run, "index")["counts"]["skipped"] == {"unchanged": DOCUMENTS}
    assert api.task_states("document_fulltext_index", run)["chunks"] == "skipped"
    assert len(api.runs("document_vector_index")) == runs


def test_a_newly_served_model_brings_the_vectors_of_every_collection_anew(
    running_stack: RunningStack, indexed: dict[str, Any]
) -> None:
    api, before = running_stack.api, datetime.now(UTC)
    folder = running_stack.folder / "manuals"
    folder.mkdir()
    (folder / "stove.md").write_text("# Stove\n\nNever light the stove inside a tent.\n")
    run = api.trigger("document_fulltext_index", {"input": str(folder), "collection": "manuals"})
    assert api.wait("document_fulltext_index", run, seconds=300) == "success"
    assert vectors(running_stack, caused_run(api, "document_vector_index", before)) == "manuals_vectors"

    before = datetime.now(UTC)
    assert api.wait("triton_deployment", api.trigger("triton_deployment", {"model": "minilm"})) == "success"

    caused = caused_run(api, "document_vector_index", before)
    assert vectors(running_stack, caused) == "manuals_vectors"
    assert vectors(running_stack, f"documents__{caused}") == "documents_vectors"
    said = running_stack.run(EMBSEARCH, "search", "--mode", "vector", "--collection", "manuals", "cooking in a shelter")
    assert "Never light the stove" in said


def vectors(running: RunningStack, run: str) -> str:
    """Which collection of vectors a run has made."""
    assert running.api.wait("document_vector_index", run, seconds=300) == "success"
    return str(running.api.xcom("document_vector_index", run, "publish")["collection"])


def test_the_quality_of_all_modes_is_in_the_log_and_in_the_event(
    running_stack: RunningStack, indexed: dict[str, Any]
) -> None:
    relevance = running_stack.folder / "relevance.jsonl"
    relevance.write_text(f'{{"query": "washing a backpack", "language": "en", "relevant": {{"{WASHING}": 2}}}}\n')
    run = running_stack.api.trigger("search_quality", {"relevance": str(relevance), "min_ndcg": 0.5})
    assert running_stack.api.wait("search_quality", run, seconds=120) == "success"
    log = running_stack.task_log("search_quality", run, "measure")
    assert all(mode in log for mode in ("text", "vector", "hybrid", "nDCG@10"))
    events = running_stack.get("assets/events?limit=100&order_by=-timestamp")["asset_events"]
    (event,) = [one for one in events if one["source_run_id"] == run and one["source_dag_id"] == "search_quality"]
    assert event["extra"]


def test_a_backfill_indexes_each_days_documents_and_replaces_nothing_newer(
    running_stack: RunningStack, indexed: dict[str, Any]
) -> None:
    api, dag = running_stack.api, "document_fulltext_index"
    for number, day in enumerate(DAYS):
        folder = running_stack.folder / f"documents_{day:%Y-%m-%d}"
        folder.mkdir()
        (folder / f"only-{number}.md").write_text(f"# Day {number}\n\nzanzibar{number} came on this day.\n")
        (folder / "daily.md").write_text(f"# Daily\n\nquokka{number} is the news.\n")
        (folder / WASHING).write_text("# Washing\n\nAn older text.\n")
    end = DAYS[-1] + timedelta(days=1, hours=23, minutes=59, seconds=59)  # the last one is a day without documents
    api.wait_backfill(api.backfill(dag, DAYS[0], end), seconds=300)
    runs = sorted((r["data_interval_end"], r["dag_run_id"]) for r in api.runs(dag) if r["run_type"] == "backfill")
    counts = [api.xcom(dag, run, "index")["counts"] for _, run in runs[:-1]]
    assert counts == [{"read": 3, "written": 2, "skipped": {"older": 1}, "dead": 0}] * len(DAYS)
    assert set(api.task_states(dag, runs[-1][1]).values()) == {"skipped"}
    last = len(DAYS) - 1
    said = running_stack.run(EMBSEARCH, "search", "--mode", "text", f"quokka{last} zanzibar0")
    assert f"quokka{last} is the news" in said
    assert "zanzibar0 came on this day" in said
    assert "An older text" not in running_stack.run(EMBSEARCH, "search", "--mode", "text", "older text")
