"""Airflow as the stack runs it, in a folder of its own, over a small DAG."""

from __future__ import annotations

import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

import httpx
import psutil
import pytest

from include.errors import AccessDenied, InputError, ServiceUnavailable
from include.local_stack import airflow, lifecycle, members
from include.local_stack.airflow_api import AirflowApi
from include.local_stack.ports import free_ports

DAG = """
from datetime import datetime, timedelta
from airflow.sdk import CronTriggerTimetable, Param, dag, task
from include.settings import get_settings

@dag(schedule=CronTriggerTimetable("0 3 * * *", timezone="UTC", interval=timedelta(days=1)),
     start_date=datetime(2026, 1, 1), catchup=False, is_paused_upon_creation=True,
     params={"count": Param(2, type="integer", minimum=1, maximum=3)})
def sums():
    @task
    def numbers(params, dag_run):
        return [len(get_settings().keyword_index)] * params["count"]
    @task
    def double(number):
        return 2 * number
    double.expand(number=numbers())
sums()
"""


@dataclass(frozen=True)
class Running:
    """An Airflow that runs, and the folder of its supervisor."""

    airflow: airflow.Airflow
    run_folder: Path

    def api(self) -> AirflowApi:
        return AirflowApi(self.airflow.url, airflow.USER, self.airflow.password)


@pytest.fixture(scope="module")
def running(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Running]:
    folder = tmp_path_factory.mktemp("airflow") / "with a space"
    dags = folder / "dags"
    dags.mkdir(parents=True)
    (dags / "sums.py").write_text(DAG)
    local = airflow.Airflow(
        home=folder / "airflow",
        port=free_ports(1)[0],
        interpreter=Path(sys.executable),
        log_folder=folder / "logs",
        task_environment={"EMBSEARCH_KEYWORD_INDEX": "seven77"},
        dags_folder=dags,
    )
    try:
        airflow.prepare(local)
        lifecycle.start_services(folder / "run", airflow.services(local))
        yield Running(local, folder / "run")
    finally:
        lifecycle.stop_all(folder / "run")


@pytest.fixture
def api(running: Running) -> Iterator[AirflowApi]:
    with running.api() as client:
        client.wait_for_dags({"sums"})
        yield client


def test_nobody_gets_in_without_a_login(running: Running) -> None:
    for path in ("/api/v2/dags", "/api/v2/pools", "/api/v2/connections"):
        assert httpx.get(running.airflow.url + path, trust_env=False).status_code == 401


def test_the_documented_default_password_is_refused(running: Running) -> None:
    with pytest.raises(AccessDenied):
        AirflowApi(running.airflow.url, "admin", "admin")


def test_passwords_and_keys_are_private_and_kept(running: Running) -> None:
    files = [running.airflow.home / name for name in ("passwords.json", "secrets.json")]
    before = [file.read_text() for file in files]
    airflow.prepare(running.airflow)
    assert [file.read_text() for file in files] == before
    assert all(file.stat().st_mode & 0o077 == 0 for file in files)
    assert len(running.airflow.password) >= 16


def test_it_listens_on_this_machine_only(running: Running) -> None:
    listening = {
        connection.laddr.ip
        for process in members.members(running.run_folder)
        for connection in process.net_connections("inet")
        if connection.status == psutil.CONN_LISTEN
    }
    assert listening == {"127.0.0.1"}


def test_a_run_gives_states_progress_and_results(api: AirflowApi) -> None:
    api.set_paused("sums", paused=False)
    seen: list[dict[str, int]] = []
    run = api.trigger("sums", {"count": 3})
    assert api.wait("sums", run, seen.append, seconds=180) == "success"
    assert api.task_states("sums", run) == {
        "numbers": "success",
        "double[0]": "success",
        "double[1]": "success",
        "double[2]": "success",
    }
    assert seen[-1] == {"success": 4}
    assert api.xcom("sums", run, "numbers") == [7, 7, 7]
    assert api.xcom("sums", run, "double", map_index=1) == 14
    assert run in [found["dag_run_id"] for found in api.runs("sums")]


def test_a_backfill_runs_once_for_each_day(api: AirflowApi) -> None:
    api.set_paused("sums", paused=False)
    backfill = api.backfill("sums", datetime(2026, 3, 1, tzinfo=UTC), datetime(2026, 3, 3, 23, 59, 59, tzinfo=UTC))
    api.wait_backfill(backfill, seconds=240)
    days = sorted(run["data_interval_end"][:10] for run in api.runs("sums") if run["run_type"] == "backfill")
    assert days == ["2026-03-01", "2026-03-02", "2026-03-03"]


def test_a_parameter_out_of_range_and_an_unknown_dag_are_input_errors(api: AirflowApi) -> None:
    with pytest.raises(InputError, match="maximum"):
        api.trigger("sums", {"count": 9})
    with pytest.raises(InputError, match="nosuch"):
        api.trigger("nosuch")


def test_a_pool_keeps_the_slots_that_its_owner_gave_it(api: AirflowApi) -> None:
    api.ensure_pool("triton", 3, "first")
    api.ensure_pool("triton", 5, "second")
    assert api.pools()["triton"] == 3


def test_an_airflow_that_is_not_there_is_a_passing_failure() -> None:
    with pytest.raises(ServiceUnavailable, match="make status"):
        AirflowApi(f"http://127.0.0.1:{free_ports(1)[0]}", "admin", "x")


def test_stop_leaves_no_process_even_of_a_running_task(running: Running, api: AirflowApi) -> None:
    api.set_paused("sums", paused=False)
    api.trigger("sums")
    before = members.members(running.run_folder)
    assert len(before) >= 13  # supervisor, four guards and servers, four workers at least
    began = time.monotonic()
    lifecycle.stop_all(running.run_folder)
    assert time.monotonic() - began < 60
    assert not members.members(running.run_folder)
    assert not any(process.is_running() for process in before)
