"""Airflow as the stack runs it, and its REST API as the demo uses it."""

from __future__ import annotations

import httpx
import pytest

from include.airflow_api import AirflowApi
from include.errors import AccessDenied, InputError, ServiceUnavailable
from include.local_stack import airflow, stack
from include.local_stack.ports import free_ports
from tests.integration.running_stack import KEYWORDS, RunningStack


@pytest.fixture
def local(running_stack: RunningStack) -> airflow.Airflow:
    return stack.local_airflow(running_stack.settings)


def test_nobody_gets_in_without_a_login(local: airflow.Airflow) -> None:
    for path in ("/api/v2/dags", "/api/v2/pools", "/api/v2/connections"):
        assert httpx.get(local.url + path, trust_env=False).status_code == 401


def test_the_documented_default_password_is_refused(local: airflow.Airflow) -> None:
    with pytest.raises(AccessDenied):
        AirflowApi(local.url, "admin", "admin")


def test_passwords_and_keys_are_private_and_kept(local: airflow.Airflow) -> None:
    files = [local.home / name for name in ("passwords.json", "secrets.json")]
    before = [file.read_text() for file in files]
    airflow.prepare(local)
    assert [file.read_text() for file in files] == before
    assert all(file.stat().st_mode & 0o077 == 0 for file in files)
    assert len(local.password) >= 16


def test_a_run_gives_states_progress_and_results(running_stack: RunningStack) -> None:
    api, dag, seen = running_stack.api, "keyword_text_index", list[dict[str, int]]()
    api.wait_for_dags({dag})
    run = api.trigger(dag, {"index": "a_run"})
    assert api.wait(dag, run, seen.append, seconds=180) == "success"
    assert api.task_states(dag, run) == {"plan": "success", "index[0]": "success", "publish": "success"}
    assert seen[-1] == {"success": 3}
    assert api.xcom(dag, run, "publish")["counts"]["written"] == KEYWORDS
    assert api.xcom(dag, run, "index", map_index=0)
    assert run in [found["dag_run_id"] for found in api.runs(dag)]


def test_a_parameter_out_of_range_and_an_unknown_dag_are_input_errors(running_stack: RunningStack) -> None:
    running_stack.api.wait_for_dags({"keyword_text_index"})
    with pytest.raises(InputError, match="maximum"):
        running_stack.api.trigger("keyword_text_index", {"workers": 65})
    with pytest.raises(InputError, match="nosuch"):
        running_stack.api.trigger("nosuch")


def test_a_pool_keeps_the_slots_that_its_owner_gave_it(running_stack: RunningStack) -> None:
    running_stack.api.ensure_pool("of-an-owner", 3, "first")
    running_stack.api.ensure_pool("of-an-owner", 5, "second")
    assert running_stack.api.pools()["of-an-owner"] == 3


def test_an_airflow_that_is_not_there_is_a_passing_failure() -> None:
    with pytest.raises(ServiceUnavailable, match="does not answer"):
        AirflowApi(f"http://127.0.0.1:{free_ports(1)[0]}", "admin", "x")
