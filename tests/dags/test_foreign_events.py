"""A model that is deployed for one workflow is no reason for the others to run."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import pytest
from airflow.dag_processing.dagbag import DagBag
from airflow.sdk.exceptions import AirflowSkipException

from search_ops.assets import SERVED_MODEL

pytestmark = pytest.mark.usefixtures("bare_settings")

FOLLOWERS = ["document_vector_index", "image_index", "keyword_text_index", "keyword_vector_index"]


def caused_by(model: str, dag: Any) -> dict[str, Any]:
    """The context of a task whose run an event about ``model`` caused."""
    return {
        "dag": dag,
        "dag_run": SimpleNamespace(conf=None, dag_id=dag.dag_id, run_id="asset_triggered__1", run_after=None),
        "params": {name: dag.params.get_param(name).value for name in dag.params},
        "triggering_asset_events": {SERVED_MODEL: [SimpleNamespace(extra={"model": model}, timestamp=1)]},
    }


def test_these_dags_follow_a_served_model(dagbag: DagBag) -> None:
    scheduled = {name: getattr(dag.timetable, "asset_condition", None) for name, dag in dagbag.dags.items()}
    follow = [
        name for name, asked in scheduled.items() if asked and SERVED_MODEL.name in {a.name for a in asked.objects}
    ]
    assert sorted(follow) == FOLLOWERS


@pytest.mark.parametrize("name", FOLLOWERS)
def test_a_run_that_another_model_caused_is_skipped_by_its_first_task_and_says_why(dagbag: DagBag, name: str) -> None:
    dag = dagbag.dags[name]
    first: Any = dag.topological_sort()[0]
    with pytest.raises(
        AirflowSkipException, match=r"The event is about model 'other_model', .* Nothing to do\. To switch"
    ):
        first.execute(caused_by("other_model", dag))
