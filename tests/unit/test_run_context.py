"""From a task's context to parameters."""

from __future__ import annotations

import json
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from airflow.sdk.exceptions import AirflowSkipException

from include.errors import GateFailed, InputError
from include.keywords.parameters import VectorIndexParameters
from include.linking.parameters import LinkingParameters
from include.model_export.parameters import DeployParameters
from include.settings import Settings
from include.triton.deploy import DeployResult
from include.triton.probe import ProbeFigures
from search_ops.operators.keywords import KeywordVectorsPlanOperator
from search_ops.operators.linking import LinkingPlanOperator
from search_ops.operators.models import TritonDeployModelOperator
from search_ops.run_context import event_extras, parameters_of, parameters_of_each, skip_without, whole_when_caused

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
    operator = LinkingPlanOperator(task_id="plan", follows=["model", "collection"])
    other = context(None, {"model": "bge_m3", "collection": "keywords"})
    with pytest.raises(AirflowSkipException, match="about model 'bge_m3', this DAG keeps 'ruri_v3' fresh"):
        operator._skip_foreign(LinkingParameters(), other)
    operator._skip_foreign(LinkingParameters(), context(None, {"model": "ruri_v3", "collection": "keywords"}))


def test_of_merged_events_one_that_is_ours_is_enough() -> None:
    operator = LinkingPlanOperator(task_id="plan", follows=["model", "collection"])
    ours, other = ({"model": model, "collection": "keywords"} for model in ("ruri_v3", "bge_m3"))
    operator._skip_foreign(LinkingParameters(), context(None, ours, other))
    operator._skip_foreign(LinkingParameters(), context(None, other, ours))
    operator._skip_foreign(LinkingParameters(), context(None, {**other, "also": [ours]}))
    with pytest.raises(AirflowSkipException, match="about model 'bge_m3'"):
        operator._skip_foreign(LinkingParameters(), context(None, other, other))


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


def test_a_deployment_caused_by_several_exports_serves_each_though_one_fails(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    figures = ProbeFigures(texts=1, min_cosine=1.0, max_norm_error=0.0, seconds=0.0)
    served: list[str] = []

    def serve(folder: Path, settings: Settings, *, needed: object) -> DeployResult:
        name = folder.parent.name
        if name == "clip_text":
            raise GateFailed("refused")
        served.append(name)
        return DeployResult(name, 1, "f" * 64, None, "onnxruntime", "fp32", True, 1, figures)

    monkeypatch.setattr("include.triton.deploy.deploy", serve)
    settings = Settings(state_dir=tmp_path, qdrant_url=f"edge:{tmp_path / 'qdrant'}")
    monkeypatch.setattr("search_ops.operators.build.settings_with_connections", lambda: settings)

    def run(*models: str) -> dict[str, Any]:
        events = [{"model": model, "precision": "fp32", "fuse": False} for model in models]
        done = TritonDeployModelOperator(task_id="deploy").execute(context(None, *events) | {"params": {}})
        assert len(json.dumps(done)) < 4096
        return done

    done = run("minilm", "bge_m3")
    assert [done["model"], *(one["model"] for one in done["also"])] == ["bge_m3", "minilm"]
    assert event_extras(context(None, done)) == [*done["also"], {k: v for k, v in done.items() if k != "also"}]
    assert "also" not in run("minilm")
    served.clear()
    with pytest.raises(GateFailed, match="refused"):
        run("clip_text", "minilm")
    assert served == ["minilm"]


def test_an_event_about_vectors_on_another_server_is_skipped() -> None:
    operator = LinkingPlanOperator(task_id="plan", follows=["model", "collection", "qdrant_url"])
    ours = {"model": "ruri_v3", "collection": "keywords", "qdrant_url": LinkingParameters().qdrant_url}
    operator._skip_foreign(LinkingParameters(), context(None, ours))
    with pytest.raises(AirflowSkipException, match="about qdrant_url 'http://other:6333'"):
        operator._skip_foreign(LinkingParameters(), context(None, {**ours, "qdrant_url": "http://other:6333"}))


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


def test_a_build_takes_what_the_event_is_about_and_its_own_form_without_one() -> None:
    operator = KeywordVectorsPlanOperator(task_id="plan", inherits=["input", "collection"])
    operator.__dict__["settings"] = Settings(_env_file=None)
    given = context(None, {"input": "/a.parquet", "collection": "a_vectors"}, {"input": "/b.parquet", "texts": 5})
    given["params"] = {name: schema["default"] for name, schema in VectorIndexParameters.schemas().items()}
    found = operator._parameters(given, VectorIndexParameters)
    assert (found.input, found.collection) == ("/b.parquet", VectorIndexParameters().collection)
    alone = operator._parameters({**given, "triggering_asset_events": {}}, VectorIndexParameters)
    assert alone == VectorIndexParameters()


def test_a_day_without_input_is_skipped_with_the_path_that_was_looked_at(tmp_path: Path) -> None:
    there, missing = tmp_path / "there.txt", tmp_path / "missing.txt"
    there.touch()
    skip_without(str(there), "2026-11-16")
    with pytest.raises(
        AirflowSkipException, match=f"No input for 2026-11-16: {missing} does not exist. Nothing to do."
    ):
        skip_without(str(missing), "2026-11-16")
