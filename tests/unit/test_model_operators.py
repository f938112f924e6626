"""A deployment that several exports caused: each model by itself, those that are served announced, a failure named."""

from __future__ import annotations

import json
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from airflow.sdk.exceptions import AirflowSkipException
from airflow.sdk.execution_time.context import OutletEventAccessors

from include.errors import EmbsearchError, FatalError, GateFailed, ServiceUnavailable
from include.settings import Settings
from include.triton.deploy import DeployResult
from include.triton.probe import ProbeFigures
from search_ops.assets import SERVED_MODEL
from search_ops.operators.models import (
    TritonAnnounceOperator,
    TritonDeployModelOperator,
    TritonModelsOperator,
    TritonReportOperator,
)
from search_ops.run_context import event_extras

FIGURES = ProbeFigures(texts=1, min_cosine=1.0, max_norm_error=0.0, seconds=0.0)


def export(model: str, precision: str = "fp32") -> dict[str, Any]:
    return {"model": model, "precision": precision, "fuse": False, "gate": {"texts": 3}}


class Run:
    """A run of ``triton_deployment`` as Airflow does it: a mapped task that failed leaves what it pushed."""

    def __init__(self, *events: dict[str, Any], conf: dict[str, Any] | None = None) -> None:
        caused = [SimpleNamespace(extra=extra, timestamp=number) for number, extra in enumerate(events)]
        self.context = {
            "dag_run": SimpleNamespace(conf=conf),
            "params": {},
            "triggering_asset_events": {"model_export": caused} if events else {},
            "outlet_events": OutletEventAccessors(),
        }
        self.names = TritonModelsOperator(task_id="models").execute(self.context)
        self.pushed: list[dict[str, Any]] = []
        self.returned: list[dict[str, Any]] = []
        self.failures: dict[str, EmbsearchError] = {}
        for name in self.names:
            self._deploy(name)

    def _deploy(self, name: str) -> None:
        pushed: dict[str, dict[str, Any]] = {}
        context = {**self.context, "ti": SimpleNamespace(xcom_push=pushed.__setitem__)}
        try:
            self.returned.append(TritonDeployModelOperator(task_id="deploy", model_name=name).execute(context))
        except EmbsearchError as error:
            self.failures[name] = error
        self.pushed += [pushed["deployed"]] if pushed else []

    def announced(self) -> dict[str, Any]:
        task = TritonAnnounceOperator(task_id="announce", results=self.pushed, outlets=[SERVED_MODEL])
        told = task.execute(self.context)
        extra = self.context["outlet_events"][SERVED_MODEL].extra
        assert extra == told
        assert len(json.dumps(told)) < 4096
        return told

    def reported(self) -> dict[str, Any]:
        return TritonReportOperator(task_id="report", names=self.names, results=self.returned).execute(self.context)


@pytest.fixture
def served(monkeypatch: pytest.MonkeyPatch, tmp_path: Path, bare_settings: None) -> list[tuple[str, str]]:
    """What was deployed: all but ``clip_text``, which is refused, and int8, whose server is away."""
    served: list[tuple[str, str]] = []

    def serve(folder: Path, settings: Settings, *, needed: object) -> DeployResult:
        name, precision = folder.parent.name, "int8" if "int8" in folder.name else "fp32"
        if name == "clip_text":
            raise GateFailed("refused")
        if precision == "int8":
            raise ServiceUnavailable("away")
        served.append((name, precision))
        return DeployResult(name, 1, "f" * 64, None, "onnxruntime", precision, True, 1, FIGURES)

    monkeypatch.setattr("include.triton.deploy.deploy", serve)
    settings = Settings(state_dir=tmp_path, qdrant_url=f"edge:{tmp_path / 'qdrant'}")
    monkeypatch.setattr("search_ops.operators.build.settings_with_connections", lambda: settings)
    return served


def test_a_run_by_hand_serves_and_announces_one_model(served: list[tuple[str, str]]) -> None:
    run = Run(conf={"model": "minilm"})
    told = run.announced()
    assert (told["model"], "also" in told) == ("minilm", False)
    assert run.reported() == {"minilm": {"version": 1, "changed": True}}


def test_each_model_of_several_exports_is_served_and_one_event_tells_of_all(served: list[tuple[str, str]]) -> None:
    run = Run(export("minilm"), export("bge_m3"))
    told = run.announced()
    assert [told["model"], *(one["model"] for one in told["also"])] == ["bge_m3", "minilm"]
    follower = {"triggering_asset_events": {"served_model": [SimpleNamespace(extra=told, timestamp=0)]}}
    assert [extra["model"] for extra in event_extras(follower)] == ["minilm", "bge_m3"]


@pytest.mark.parametrize("models", [("clip_text", "minilm"), ("minilm", "clip_text")])
def test_a_failing_export_silences_no_other_and_the_run_fails_with_its_name(
    served: list[tuple[str, str]], models: tuple[str, str]
) -> None:
    run = Run(*map(export, models))
    assert run.announced()["model"] == "minilm"
    with pytest.raises(FatalError, match=r"1 of 2 models failed: clip_text. The others are done"):
        run.reported()
    assert isinstance(run.failures["clip_text"], GateFailed)


def test_of_one_model_the_latest_export_is_served_last_and_what_may_pass_is_tried_again(
    served: list[tuple[str, str]],
) -> None:
    run = Run(export("minilm"), export("minilm", "int8"), export("bge_m3"))
    assert run.names == ["minilm", "bge_m3"]
    assert isinstance(run.failures["minilm"], ServiceUnavailable)
    told = run.announced()
    assert [(one["model"], one["precision"]) for one in (*told["also"], told)] == [
        ("minilm", "fp32"),
        ("bge_m3", "fp32"),
    ]
    with pytest.raises(FatalError, match="minilm"):
        run.reported()


def test_when_nothing_is_served_nobody_is_told(served: list[tuple[str, str]]) -> None:
    with pytest.raises(AirflowSkipException, match="nobody is told"):
        Run(export("clip_text")).announced()
