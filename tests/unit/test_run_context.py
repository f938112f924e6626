"""From a task's context to parameters."""

from __future__ import annotations

import json
from types import SimpleNamespace
from typing import Any

import pytest
from airflow.sdk.exceptions import AirflowSkipException

from include.errors import InputError
from include.linking.parameters import LinkingParameters
from include.settings import Settings
from search_ops.operators.linking import LinkingPlanOperator
from search_ops.run_context import parameters_of, whole_when_caused

pytestmark = pytest.mark.usefixtures("bare_settings")


def context(conf: dict[str, Any] | None = None, *events: dict[str, Any]) -> dict[str, Any]:
    params = {name: schema["default"] for name, schema in LinkingParameters.schemas().items()}
    caused = [SimpleNamespace(extra=extra, timestamp=number) for number, extra in enumerate(events)]
    return {
        "dag_run": SimpleNamespace(conf=conf),
        "params": params,
        "triggering_asset_events": {"keyword_vectors": caused} if events else {},
    }


def test_an_untouched_server_is_that_of_the_airflow_connection() -> None:
    settings = Settings(_env_file=None, es_url="https://es.example:9200")
    assert parameters_of(context(), LinkingParameters, settings=settings).es_url == "https://es.example:9200"


def test_a_server_that_was_asked_for_is_taken() -> None:
    settings = Settings(_env_file=None, es_url="https://es.example:9200")
    asked = context({"es_url": "http://other:9200"})
    assert parameters_of(asked, LinkingParameters, settings=settings).es_url == "http://other:9200"


def test_an_unknown_name_in_the_conf_is_refused() -> None:
    with pytest.raises(InputError, match="Unknown param topk"):
        parameters_of(context({"topk": 3}), LinkingParameters, settings=Settings(_env_file=None))


def test_an_event_about_another_model_is_skipped_with_a_clear_word() -> None:
    operator = LinkingPlanOperator(task_id="plan", follows=["model", "collection"])
    other = context(None, {"model": "bge_m3", "collection": "keywords"})
    with pytest.raises(AirflowSkipException, match="about model 'bge_m3', this DAG keeps 'ruri_v3' fresh"):
        operator._skip_foreign(LinkingParameters(), other)
    operator._skip_foreign(LinkingParameters(), context(None, {"model": "ruri_v3", "collection": "keywords"}))


def test_a_run_that_an_event_caused_takes_all_of_the_input() -> None:
    asked = LinkingParameters()
    assert whole_when_caused(asked, context()).limit == 100_000
    assert whole_when_caused(asked, context(None, {"model": "ruri_v3"})).limit == 0


def test_the_list_of_task_numbers_stays_below_4_kib_at_its_greatest_length() -> None:
    greatest = next(m.le for m in Settings.model_fields["mapped_tasks"].metadata if hasattr(m, "le"))
    assert len(json.dumps(list(range(greatest)))) < 4096
