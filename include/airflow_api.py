"""Airflow's REST API, as far as the image search, the demo, the stack and the tests need it."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from typing import Any, Self
from urllib.parse import quote
from uuid import uuid4

import httpx

from include.errors import AccessDenied, EmbsearchError, FatalError, InputError, ServiceUnavailable

FINISHED = ("success", "failed")
POLL_SECONDS = 1.0
TELL_EVERY_SECONDS = 15.0
LOCKED_SECONDS = 60.0
REPEATABLE = ("GET", "PATCH")

Progress = Callable[[dict[str, int]], None]
"""Called with how many task instances are in which state: whenever that changes, and now and then while it does not."""


class AirflowApi:
    """A logged-in client; use it as a context manager.

    Raises:
        AccessDenied: wrong user or password, or no right.
        ServiceUnavailable: Airflow does not answer.
    """

    def __init__(
        self, url: str, user: str = "", password: str = "", *, token: str | None = None, time_out: float = 30.0
    ) -> None:
        """Log in, unless there is a ``token`` that Airflow has given out before."""
        self._url = url
        self._client = httpx.Client(base_url=url, timeout=time_out, trust_env=False)
        if token is None:
            token = str(self._call("POST", "/auth/token", {"username": user, "password": password})["access_token"])
        self._client.headers["Authorization"] = f"Bearer {token}"

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_raised: object) -> None:
        self._client.close()

    def trigger(self, dag_id: str, conf: Mapping[str, Any] | None = None) -> str:
        """Start a run; return its id.

        Raises:
            InputError: the DAG does not exist, or its parameters refuse ``conf``.
        """
        run_id = f"manual__{datetime.now(UTC).isoformat()}_{uuid4().hex[:8]}"
        body = {"logical_date": None, "dag_run_id": run_id, "conf": dict(conf or {})}
        response = self._answered("POST", f"/api/v2/dags/{dag_id}/dagRuns", body, repeatable=True)
        if response.status_code == httpx.codes.CONFLICT:  # made, before the database was locked or the time was over
            self.run(dag_id, run_id)
        else:
            self._checked(response)
        return run_id

    def run(self, dag_id: str, run_id: str) -> dict[str, Any]:
        """One run of a DAG.

        Raises:
            InputError: there is none.
        """
        answer: dict[str, Any] = self._call("GET", f"/api/v2/dags/{dag_id}/dagRuns/{quote(run_id, safe='')}")
        return answer

    def is_paused(self, dag_id: str) -> bool:
        """Whether a DAG is paused, so that its runs wait."""
        return bool(self._call("GET", f"/api/v2/dags/{dag_id}")["is_paused"])

    def runs(self, dag_id: str) -> list[dict[str, Any]]:
        """The runs of a DAG, the latest first, at most 100."""
        answer = self._call("GET", f"/api/v2/dags/{dag_id}/dagRuns?order_by=-run_after&limit=100")
        return list(answer["dag_runs"])

    def wait(self, dag_id: str, run_id: str, on_progress: Progress | None = None, *, seconds: float = 3600.0) -> str:
        """Wait until a run has ended; return its state, ``success`` or ``failed``.

        Raises:
            ServiceUnavailable: it has not ended after ``seconds``.
        """
        path = f"/api/v2/dags/{dag_id}/dagRuns/{quote(run_id, safe='')}"
        deadline = time.monotonic() + seconds
        told: tuple[dict[str, int], float] = {}, time.monotonic()
        while True:
            state = self._call("GET", path)["state"]
            counts = dict(Counter(self.task_states(dag_id, run_id).values())) if on_progress else {}
            if on_progress and (counts != told[0] or time.monotonic() - told[1] > TELL_EVERY_SECONDS):
                told = counts, time.monotonic()
                on_progress(counts)
            if state in FINISHED:
                return str(state)
            if time.monotonic() > deadline:
                msg = f"Run {run_id} of {dag_id} is still {state} after {seconds:.0f} s. See {self._url}/dags/{dag_id}."
                raise ServiceUnavailable(msg)
            time.sleep(POLL_SECONDS)

    def task_states(self, dag_id: str, run_id: str) -> dict[str, str]:
        """State by task; of a mapped task, by ``task[index]``."""
        path = f"/api/v2/dags/{dag_id}/dagRuns/{quote(run_id, safe='')}/taskInstances?limit=1000"
        return {
            task["task_id"] + (f"[{task['map_index']}]" if task["map_index"] >= 0 else ""): task["state"] or "none"
            for task in self._call("GET", path)["task_instances"]
        }

    def xcom(self, dag_id: str, run_id: str, task_id: str, *, key: str = "return_value", map_index: int = -1) -> Any:
        """What a task returned."""
        run = quote(run_id, safe="")
        path = f"/api/v2/dags/{dag_id}/dagRuns/{run}/taskInstances/{task_id}/xcomEntries/{key}"
        return self._call("GET", f"{path}?map_index={map_index}&deserialize=true")["value"]

    def set_paused(self, dag_id: str, *, paused: bool) -> None:
        """Pause a DAG or let it run."""
        self._call("PATCH", f"/api/v2/dags/{dag_id}?update_mask=is_paused", {"is_paused": paused})

    def dag_ids(self) -> list[str]:
        """The DAGs that Airflow has read by now."""
        return [dag["dag_id"] for dag in self._call("GET", "/api/v2/dags?limit=1000")["dags"]]

    def wait_for_dags(self, dag_ids: set[str], *, seconds: float = 120.0) -> None:
        """Wait until these DAGs have been read.

        Raises:
            FatalError: a DAG file does not import.
            ServiceUnavailable: some are missing after ``seconds``.
        """
        deadline = time.monotonic() + seconds
        while missing := dag_ids - set(self.dag_ids()):
            if errors := self._call("GET", "/api/v2/importErrors")["import_errors"]:
                raise FatalError(f"{errors[0]['filename']} does not import:\n{errors[0]['stack_trace']}")
            if time.monotonic() > deadline:
                raise ServiceUnavailable(f"Airflow has not read {', '.join(sorted(missing))} after {seconds:.0f} s.")
            time.sleep(POLL_SECONDS)

    def backfill(self, dag_id: str, from_date: datetime, to_date: datetime, *, reprocess: str = "none") -> int:
        """Start runs for the dates of a range, both ends included to the second; return the backfill's id.

        Over SQLite, Airflow refuses while its scheduler happens to write; it is asked again for a minute.
        """
        body = {
            "dag_id": dag_id,
            "from_date": from_date.isoformat(),
            "to_date": to_date.isoformat(),
            "reprocess_behavior": reprocess,
            "max_active_runs": 1,
        }
        deadline = time.monotonic() + LOCKED_SECONDS
        while True:
            try:
                return int(self._call("POST", "/api/v2/backfills", body)["id"])
            except ServiceUnavailable:
                if time.monotonic() > deadline:
                    raise
                time.sleep(POLL_SECONDS)

    def wait_backfill(self, backfill_id: int, *, seconds: float = 3600.0) -> None:
        """Wait until every run of a backfill has ended.

        Raises:
            ServiceUnavailable: it has not ended after ``seconds``.
        """
        deadline = time.monotonic() + seconds
        while not self._call("GET", f"/api/v2/backfills/{backfill_id}")["completed_at"]:
            if time.monotonic() > deadline:
                raise ServiceUnavailable(f"Backfill {backfill_id} is not done after {seconds:.0f} s. See {self._url}.")
            time.sleep(POLL_SECONDS)

    def ensure_pool(self, name: str, slots: int, description: str) -> None:
        """Make a pool; one that exists keeps the slots that its owner gave it."""
        response = self._send("POST", "/api/v2/pools", {"name": name, "slots": slots, "description": description})
        if response.status_code != httpx.codes.CONFLICT:
            self._checked(response)

    def pools(self) -> dict[str, int]:
        """Slots by pool."""
        return {pool["name"]: pool["slots"] for pool in self._call("GET", "/api/v2/pools?limit=1000")["pools"]}

    def connection_ids(self) -> list[str]:
        """The connections that somebody has made in Airflow."""
        return [found["connection_id"] for found in self._call("GET", "/api/v2/connections?limit=1000")["connections"]]

    def _call(self, method: str, path: str, body: Mapping[str, Any] | None = None) -> Any:
        return self._checked(self._answered(method, path, body)).json()

    def _answered(
        self, method: str, path: str, body: Mapping[str, Any] | None, *, repeatable: bool | None = None
    ) -> httpx.Response:
        """The answer; while Airflow's database is locked by another of its processes it is asked again.

        After a time-out it is asked a second time, where that does no more than the first: ``repeatable``, by default
        whatever only reads or sets.
        """
        deadline = time.monotonic() + LOCKED_SECONDS
        again = method in REPEATABLE if repeatable is None else repeatable
        while True:
            try:
                response = self._send(method, path, body)
            except ServiceUnavailable as error:
                if not again or not isinstance(error.__cause__, httpx.ReadTimeout):
                    raise
                again = False
                continue
            if not _is_locked(response) or time.monotonic() >= deadline:
                return response
            time.sleep(POLL_SECONDS)

    def _send(self, method: str, path: str, body: Mapping[str, Any] | None) -> httpx.Response:
        try:
            return self._client.request(method, path, json=body)
        except httpx.HTTPError as error:
            msg = f"Airflow at {self._url} does not answer ({error}). Look whether it runs."
            raise ServiceUnavailable(msg) from error

    def _checked(self, response: httpx.Response) -> httpx.Response:
        if response.is_success:
            return response
        raise _as_error(response)


def _is_locked(response: httpx.Response) -> bool:
    """Whether the database refused, as SQLite does while somebody else writes; Airflow tells no more of it."""
    return response.status_code == httpx.codes.INTERNAL_SERVER_ERROR and "Database error" in response.text


def _as_error(response: httpx.Response) -> EmbsearchError:
    what = f"{response.request.method} {response.request.url.path}"
    try:
        detail = response.json().get("detail", response.text)
    except ValueError:
        detail = response.text
    if response.status_code == httpx.codes.UNAUTHORIZED:
        return AccessDenied(f"Airflow refuses {what}: {detail}. Check the user and the password.")
    if response.status_code == httpx.codes.FORBIDDEN:
        return AccessDenied(
            f"Airflow refuses {what}: {detail}. It knows the user, who has no right to that: give the user a role that "
            "has it, or log in as another."
        )
    if response.status_code in (400, 404, 409, 422):
        return InputError(f"Airflow refuses {what}: {detail}")
    if response.status_code in (429, 502, 503, 504):
        return ServiceUnavailable(f"Airflow is busy ({response.status_code}) at {what}: {detail}")
    return FatalError(f"Airflow failed with {response.status_code} at {what}: {detail}. Its log says why.")
