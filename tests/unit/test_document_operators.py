"""Which collections of documents get new vectors, by what has happened."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from airflow.sdk.exceptions import AirflowSkipException, DagRunTriggerException

from include.fulltext.places import chunk_file, vector_defaults
from include.keywords.parameters import VectorIndexParameters
from include.settings import Settings
from search_ops.operators.document_vectors import DocumentVectorsDueOperator, DocumentVectorsRunOperator

pytestmark = pytest.mark.usefixtures("bare_settings")

MODEL = Settings.model_fields["model"].default


@pytest.fixture
def settings(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Settings:
    """Two collections have chunks; a third has notes alone."""
    monkeypatch.setenv("EMBSEARCH_STATE_DIR", str(tmp_path))
    settings = Settings(_env_file=None)
    for collection in ("manuals", "documents"):
        path = chunk_file(settings, collection)
        path.parent.mkdir(parents=True)
        path.touch()
    (settings.documents_dir / "begun").mkdir()
    return settings


def due(settings: Settings, *events: dict[str, Any]) -> tuple[list[str], dict[str, str]]:
    """The other collections and the parameters of the run's own one."""
    pushed: dict[str, dict[str, str]] = {}
    caused = [SimpleNamespace(extra=extra, timestamp=number) for number, extra in enumerate(events)]
    task = DocumentVectorsDueOperator(task_id="due")
    task.__dict__["settings"] = settings
    others = task.execute(
        {
            "dag_run": SimpleNamespace(conf={}),
            "params": {name: schema["default"] for name, schema in VectorIndexParameters.schemas().items()},
            "triggering_asset_events": {"document_chunks": caused} if events else {},
            "ti": SimpleNamespace(xcom_push=pushed.__setitem__),
        }
    )
    return others, pushed["own"]


def own(settings: Settings, collection: str) -> dict[str, str]:
    return {"input": str(chunk_file(settings, collection)), "collection": f"{collection}_vectors"}


def test_new_chunks_of_several_collections_each_get_their_vectors(settings: Settings) -> None:
    chunks = [
        {"documents": name, "collection": f"{name}_vectors", "texts": 3} for name in ("manuals", "faq", "manuals")
    ]
    assert due(settings, chunks[0]) == ([], own(settings, "manuals"))
    assert due(settings, *chunks) == (["manuals"], own(settings, "faq"))


def test_a_newly_served_model_asks_for_the_vectors_of_every_collection_that_has_chunks(settings: Settings) -> None:
    model = {"model": MODEL, "version": 2}
    assert due(settings, model) == (["documents"], own(settings, "manuals"))
    others, last = due(settings, {"model": "other"}, {"documents": "faq"}, model)
    assert [*others, last["collection"]] == ["faq", "documents", "manuals_vectors"]


def test_a_model_of_others_asks_for_nothing(settings: Settings) -> None:
    with pytest.raises(AirflowSkipException, match="about model 'other'"):
        due(settings, {"model": "other", "version": 2})
    assert due(settings, {"model": "other"}, {"documents": "faq"}) == ([], own(settings, "faq"))


def test_a_run_by_hand_and_one_before_anything_is_indexed_are_for_what_the_form_says(
    settings: Settings, tmp_path: Path
) -> None:
    assert due(settings) == ([], {})
    assert due(settings.model_copy(update={"state_dir": tmp_path / "empty"}), {"model": MODEL}) == ([], {})
    assert vector_defaults()["input"] == own(settings, "documents")["input"]


def test_another_collection_gets_a_run_of_its_own_once(settings: Settings) -> None:
    task = DocumentVectorsRunOperator(task_id="others", documents="manuals")
    task.__dict__["settings"] = settings
    dag = SimpleNamespace(dag_id="document_vector_index")
    with pytest.raises(DagRunTriggerException) as started:
        task.execute({"dag": dag, "dag_run": SimpleNamespace(run_id="asset_triggered__2026")})
    asked = started.value
    assert (asked.trigger_dag_id, asked.dag_run_id) == ("document_vector_index", "manuals__asset_triggered__2026")
    assert asked.conf == own(settings, "manuals")
    assert asked.logical_date is None
    assert asked.skip_when_already_exists
