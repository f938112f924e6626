"""Several exports deployed by one run: a failing one keeps nobody from what the others bring."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

from include.cli.dag_runs import caused_run
from tests.integration.running_stack import RunningStack

DAG = "triton_deployment"
NOT_EXPORTED = "bge_m3"


def export(model: str) -> dict[str, Any]:
    return {"model": model, "precision": "fp32", "fuse": False}


def tell(running: RunningStack, asset: str, extra: dict[str, Any]) -> None:
    """Send an asset event, as another DAG's task does."""
    assets = running.get("assets?limit=100")["assets"]
    (number,) = [found["id"] for found in assets if found["name"] == asset]
    running.api._call("POST", "/api/v2/assets/events", {"asset_id": number, "extra": extra})


def test_one_model_fails_and_what_depends_on_the_other_follows(
    running_stack: RunningStack, chain: dict[str, dict[str, Any]]
) -> None:
    api, before = running_stack.api, datetime.now(UTC)
    tell(running_stack, "model_export", {**export(NOT_EXPORTED), "also": [export("minilm")]})

    run = caused_run(api, DAG, before)

    assert api.wait(DAG, run, seconds=240) == "failed"
    states = api.task_states(DAG, run)
    deployed = {
        task["rendered_map_index"]: task["state"] for task in running_stack.tasks(DAG, run) if task["map_index"] >= 0
    }
    assert deployed == {"minilm": "success", NOT_EXPORTED: "failed"}
    assert (states["announce"], states["report"]) == ("success", "failed")
    assert f"1 of 2 models failed: {NOT_EXPORTED}." in running_stack.task_log(DAG, run, "report")
    assert api.xcom(DAG, run, "announce")["model"] == "minilm"
    follower = caused_run(api, "keyword_vector_index", before)
    assert api.wait("keyword_vector_index", follower, seconds=240) == "success"
