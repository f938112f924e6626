"""Airflow's API is asked again while its database is locked, and a run is started once."""

from __future__ import annotations

import json
from typing import Any

import httpx
import pytest

from include import airflow_api
from include.airflow_api import AirflowApi
from include.errors import AccessDenied, FatalError, InputError, ServiceUnavailable

LOCKED = httpx.Response(500, json={"detail": {"reason": "Database error", "message": "Serious error"}})
RUNS = "/api/v2/dags/some_dag/dagRuns"


class Airflow:
    """Answers in turn; what was asked is kept."""

    def __init__(self, *answers: httpx.Response) -> None:
        self.answers = list(answers)
        self.asked: list[tuple[str, str, Any]] = []

    def __call__(self, request: httpx.Request) -> httpx.Response:
        self.asked.append((request.method, request.url.path, json.loads(request.content or b"null")))
        return self.answers.pop(0)

    def api(self) -> AirflowApi:
        api = AirflowApi("http://airflow", token="x")
        api._client = httpx.Client(base_url="http://airflow", transport=httpx.MockTransport(self))
        return api


@pytest.fixture(autouse=True)
def at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(airflow_api, "POLL_SECONDS", 0)


def test_a_locked_database_is_waited_for() -> None:
    airflow = Airflow(LOCKED, LOCKED, httpx.Response(200, json={}))
    airflow.api().set_paused("some_dag", paused=True)
    assert [method for method, *_ in airflow.asked] == ["PATCH"] * 3


@pytest.mark.parametrize("answer", [httpx.Response(200, json={}), httpx.Response(409, json={"detail": "exists"})])
def test_what_had_no_answer_in_time_is_asked_once_more_and_no_run_is_started_twice(answer: httpx.Response) -> None:
    asked: list[tuple[str, Any]] = []

    def late(request: httpx.Request) -> httpx.Response:
        asked.append((request.method, json.loads(request.content or b"null")))
        if len(asked) == 1:
            raise httpx.ReadTimeout("timed out", request=request)
        return answer if request.method == "POST" else httpx.Response(200, json={})

    api = AirflowApi("http://airflow", token="x")
    api._client = httpx.Client(base_url="http://airflow", transport=httpx.MockTransport(late))
    run = api.trigger("some_dag")
    first, second = asked[:2]
    assert first == second
    assert first[1]["dag_run_id"] == run


def test_what_would_be_done_twice_is_not_asked_again() -> None:
    asked: list[str] = []

    def late(request: httpx.Request) -> httpx.Response:
        asked.append(request.method)
        raise httpx.ReadTimeout("timed out", request=request)

    api = AirflowApi("http://airflow", token="x")
    api._client = httpx.Client(base_url="http://airflow", transport=httpx.MockTransport(late))
    with pytest.raises(ServiceUnavailable, match="timed out"):
        api.ensure_pool("triton", 2, "")
    with pytest.raises(ServiceUnavailable, match="timed out"):
        api.set_paused("some_dag", paused=False)
    assert asked == ["POST", "PATCH", "PATCH"]


def test_another_fault_of_airflow_s_is_told_at_once() -> None:
    airflow = Airflow(httpx.Response(500, json={"detail": "bug"}))
    with pytest.raises(FatalError, match="bug"):
        airflow.api().set_paused("some_dag", paused=True)


def test_a_database_that_stays_locked_is_told_in_the_end(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(airflow_api, "LOCKED_SECONDS", 0)
    with pytest.raises(FatalError, match="Database error"):
        Airflow(LOCKED).api().set_paused("some_dag", paused=True)


@pytest.mark.parametrize(
    ("status", "advice", "elsewhere"),
    [
        (401, "Check the user and the password", "role"),
        (403, "who has no right to that: give the user a role", "passw"),
    ],
)
def test_an_unknown_user_and_a_missing_right_are_told_apart(status: int, advice: str, elsewhere: str) -> None:
    airflow = Airflow(httpx.Response(status, json={"detail": "no"}))
    with pytest.raises(AccessDenied, match=f"refuses PATCH /api/v2/dags/some_dag: no. .*{advice}") as told:
        airflow.api().set_paused("some_dag", paused=True)
    assert elsewhere not in str(told.value)


def test_a_run_that_was_made_before_the_database_was_locked_is_not_made_twice() -> None:
    airflow = Airflow(LOCKED, httpx.Response(409, json={"detail": "exists"}), httpx.Response(200, json={}))
    run_id = airflow.api().trigger("some_dag", {"a": 1})
    assert [body["dag_run_id"] for _, path, body in airflow.asked if path == RUNS] == [run_id] * 2
    assert airflow.asked[-1][0] == "GET"


def test_a_conflict_over_a_run_that_is_not_there_is_told() -> None:
    with pytest.raises(InputError, match="not found"):
        Airflow(httpx.Response(409), httpx.Response(404, json={"detail": "not found"})).api().trigger("some_dag")
