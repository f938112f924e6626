"""Runs of DAGs as a demo follows them: waited for with their tasks by state, failures named."""

from __future__ import annotations

import logging
import time
from datetime import datetime
from typing import TYPE_CHECKING, Any

from include.errors import FatalError

if TYPE_CHECKING:
    from include.airflow_api import AirflowApi

log = logging.getLogger(__name__)

WAIT_FOR_EVENT_SECONDS = 120.0
WAIT_FOR_SCHEDULER_SECONDS = 30.0
TOLD = {"none": "waiting"}  # Airflow's word for a task that waits for others


def caused_run(api: AirflowApi, dag_id: str, since: datetime) -> str:
    """The run of ``dag_id`` that an asset event started after ``since``."""
    deadline = time.monotonic() + WAIT_FOR_EVENT_SECONDS
    while time.monotonic() < deadline:
        for run in reversed(api.runs(dag_id)):
            if run["run_type"] == "asset_triggered" and datetime.fromisoformat(run["run_after"]) >= since:
                return str(run["dag_run_id"])
        time.sleep(1)
    msg = f"No asset event started {dag_id} within {WAIT_FOR_EVENT_SECONDS:.0f} s. Is it paused? Look at its page."
    raise FatalError(msg)


def switch_on(api: AirflowApi, dag_id: str, interval_end: datetime) -> None:
    """Let a scheduled DAG run from now on; what Airflow starts at once, the run of the last interval, is waited for."""
    api.set_paused(dag_id, paused=False)
    deadline = time.monotonic() + WAIT_FOR_SCHEDULER_SECONDS
    while time.monotonic() < deadline:
        for run in api.runs(dag_id):
            end = run["data_interval_end"]
            if run["run_type"] == "scheduled" and end and datetime.fromisoformat(end) == interval_end:
                api.wait(dag_id, run["dag_run_id"])
                return
        time.sleep(1)


def finished(api: AirflowApi, dag_id: str, run: str, task: str) -> Any:
    """What ``task`` returned, when the run has ended well.

    Raises:
        FatalError: it failed; the message names the tasks.
    """
    began = time.monotonic()

    def report(states: dict[str, int]) -> None:
        tasks = ", ".join(f"{count} {TOLD.get(state, state)}" for state, count in sorted(states.items()))
        log.info("  %-22s %3.0f s  %s", dag_id, time.monotonic() - began, tasks)

    state = api.wait(dag_id, run, report)
    tasks = api.task_states(dag_id, run)
    if state != "success":
        failed = ", ".join(task for task, its_state in tasks.items() if its_state == "failed")
        msg = f"{dag_id} failed in task {failed or 'unknown'}. Its log is on its page, and below .local/airflow/logs."
        raise FatalError(msg)
    return api.xcom(dag_id, run, task)
