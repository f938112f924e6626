"""From a task's context to parameters."""

from __future__ import annotations

import json
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from airflow.sdk.exceptions import AirflowSkipException

from include.errors import InputError
from include.keywords.parameters import TextIndexParameters, VectorIndexParameters
from include.linking.parameters import LinkingParameters
from include.model_export.parameters import DeployParameters
from include.settings import Settings
from search_ops.run_context import (
    parameters_of,
    parameters_of_each,
    skip_foreign,
    skip_without,
    whole_when_caused,
)

pytestmark = pytest.mark.usefixtures("bare_settings")

FOLLOWS = ("model", "collection", "qdrant_url")


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


def test_a_field_left_empty_is_an_empty_text() -> None:
    """Airflow's page sends ``null`` for it."""
    left = context({"id_column": None})
    left["params"] = {name: schema["default"] for name, schema in VectorIndexParameters.schemas().items()}
    assert parameters_of(left, VectorIndexParameters, settings=Settings(_env_file=None)).id_column == ""


def test_a_field_that_must_be_filled_and_is_not_is_refused() -> None:
    with pytest.raises(InputError, match="Invalid input for param products: None is not of type 'string'"):
        parameters_of(context({"products": None}), LinkingParameters, settings=Settings(_env_file=None))


def test_an_unknown_name_in_the_conf_is_refused() -> None:
    with pytest.raises(InputError, match="Unknown param topk"):
        parameters_of(context({"topk": 3}), LinkingParameters, settings=Settings(_env_file=None))


def test_an_event_about_another_model_is_skipped_with_a_clear_word() -> None:
    other = context(None, {"model": "bge_m3", "collection": "keywords"})
    with pytest.raises(AirflowSkipException, match="about model 'bge_m3', this DAG keeps 'ruri_v3' fresh"):
        skip_foreign(other, LinkingParameters(), FOLLOWS)
    skip_foreign(context(None, {"model": "ruri_v3", "collection": "keywords"}), LinkingParameters(), FOLLOWS)


def test_what_a_workflow_has_no_parameter_for_is_compared_with_the_settings() -> None:
    assert "model" not in TextIndexParameters.model_fields
    skip_foreign(context(None, {"model": Settings(_env_file=None).model}), TextIndexParameters(), ("model",))
    with pytest.raises(AirflowSkipException, match="about model 'picture_features', this DAG keeps 'ruri_v3' fresh"):
        skip_foreign(context(None, {"model": "picture_features"}), TextIndexParameters(), ("model",))


def test_of_merged_events_one_that_is_ours_is_enough() -> None:
    ours, other = ({"model": model, "collection": "keywords"} for model in ("ruri_v3", "bge_m3"))
    skip_foreign(context(None, ours, other), LinkingParameters(), FOLLOWS)
    skip_foreign(context(None, other, ours), LinkingParameters(), FOLLOWS)
    skip_foreign(context(None, {**other, "also": [ours]}), LinkingParameters(), FOLLOWS)
    with pytest.raises(AirflowSkipException, match="about model 'bge_m3'"):
        skip_foreign(context(None, other, other), LinkingParameters(), FOLLOWS)


def test_each_export_of_merged_events_is_deployed_once_and_the_last_one_last() -> None:
    fp32, int8 = ({"model": "minilm", "precision": precision, "fuse": False} for precision in ("fp32", "int8"))
    other = {"model": "bge_m3", "precision": "fp32", "fuse": False, "gate": {"texts": 3}}

    def asked(conf: dict[str, Any] | None, *events: dict[str, Any]) -> list[tuple[str, str]]:
        found = parameters_of_each(
            context(conf, *events) | {"params": {}}, DeployParameters, settings=Settings(_env_file=None),
            inherits=("model", "precision", "fuse"),
        )  # fmt: skip
        return [(one.model, one.precision) for one in found]

    assert asked(None, fp32, other, int8, fp32) == [("bge_m3", "fp32"), ("minilm", "int8"), ("minilm", "fp32")]
    assert asked({"model": "minilm", "precision": "int8"}) == [("minilm", "int8")]


def test_an_event_about_vectors_on_another_server_is_skipped() -> None:
    ours = {"model": "ruri_v3", "collection": "keywords", "qdrant_url": LinkingParameters().qdrant_url}
    skip_foreign(context(None, ours), LinkingParameters(), FOLLOWS)
    with pytest.raises(AirflowSkipException, match="about qdrant_url 'http://other:6333'"):
        skip_foreign(context(None, {**ours, "qdrant_url": "http://other:6333"}), LinkingParameters(), FOLLOWS)
    here = LinkingParameters(qdrant_url="http://localhost:6333")
    skip_foreign(context(None, {**ours, "qdrant_url": "http://127.0.0.1:6333/"}), here, FOLLOWS)


def test_a_run_that_an_event_caused_takes_all_of_the_input_and_keeps_what_is_served_besides() -> None:
    asked, event = LinkingParameters(), {"model": "ruri_v3"}
    by_hand, caused = whole_when_caused(asked, context()), whole_when_caused(asked, context(None, event))
    assert (by_hand.limit, by_hand.keep_others) == (100_000, False)
    assert (caused.limit, caused.keep_others) == (0, True)
    chosen = whole_when_caused(asked, context({"limit": 7, "keep_others": False}, event))
    assert chosen == asked
    assert whole_when_caused(VectorIndexParameters(limit=5), context(None, event)).limit == 0


def test_the_list_of_task_numbers_stays_below_4_kib_at_its_greatest_length() -> None:
    greatest = next(m.le for m in Settings.model_fields["mapped_tasks"].metadata if hasattr(m, "le"))
    assert len(json.dumps(list(range(greatest)))) < 4096


def test_what_a_task_before_has_found_takes_the_place_of_the_form_s_defaults_and_not_of_what_was_asked() -> None:
    params = {name: schema["default"] for name, schema in VectorIndexParameters.schemas().items()}
    given = {"input": "/b.parquet", "collection": "b_vectors"}

    def found(conf: dict[str, Any]) -> VectorIndexParameters:
        asked = {**context(conf), "params": params}
        return parameters_of(asked, VectorIndexParameters, settings=Settings(_env_file=None), given=given)

    assert (found({}).input, found({}).collection) == ("/b.parquet", "b_vectors")
    assert found({"collection": "mine"}).collection == "mine"


def test_a_day_without_input_is_skipped_with_the_path_that_was_looked_at(tmp_path: Path) -> None:
    there, missing = tmp_path / "there.txt", tmp_path / "missing.txt"
    there.touch()
    skip_without(str(there), "2026-11-16")
    with pytest.raises(
        AirflowSkipException, match=f"No input for 2026-11-16: {missing} does not exist. Nothing to do."
    ):
        skip_without(str(missing), "2026-11-16")
