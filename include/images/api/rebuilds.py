"""Rebuilds of the indexes are runs of a DAG: started and looked at by Airflow's own API, with the caller's rights."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import asdict, dataclass
from datetime import datetime
from typing import Protocol

from include.airflow_api import AirflowApi
from include.errors import InputError
from include.images.api.access import Caller
from include.images.api.contract import RebuildState
from include.images.parameters import AskedType, Edition
from include.settings import Settings

DAG = "image_index"
STATES = {"queued": "queued", "running": "running", "success": "success", "failed": "failed"}


class UnknownRun(InputError):
    """There is no such run."""


@dataclass(frozen=True)
class RebuildOf:
    """The parameters of a run; the DAG's own defaults are the others."""

    type: AskedType
    edition: Edition
    allow_empty: bool = False


class Rebuilder(Protocol):
    """Starts rebuilds and tells how they are; may wait for the network, so call it from a thread.

    Raises:
        AccessDenied: Airflow refuses the caller.
        ServiceUnavailable: it does not answer.
        InputError: it refuses the request; :class:`UnknownRun`: it has no such run.
    """

    def start(self, asked: RebuildOf, caller: Caller) -> str:
        """Start a rebuild; return the run's id."""

    def state(self, run_id: str, caller: Caller) -> RebuildState:
        """How the run is."""


class AirflowRebuilder:
    """Of any Airflow that ``login`` reaches."""

    def __init__(self, login: Callable[[Caller], AirflowApi]) -> None:
        self._login = login

    def start(self, asked: RebuildOf, caller: Caller) -> str:
        """Start a run of the DAG."""
        with self._login(caller) as api:
            if api.is_paused(DAG):
                msg = f"DAG {DAG} is paused, so a run would wait for ever. Switch it on in Airflow."
                raise InputError(msg)
            return api.trigger(DAG, asdict(asked))

    def state(self, run_id: str, caller: Caller) -> RebuildState:
        """The run's state in Airflow."""
        if run_id in {".", ".."}:  # would be another path of Airflow's
            raise UnknownRun(_unknown(run_id))
        with self._login(caller) as api:
            try:
                run = api.run(DAG, run_id)
            except InputError as error:
                raise UnknownRun(_unknown(run_id)) from error
        return RebuildState(
            task_id=run_id,
            status=STATES.get(run["state"], str(run["state"])),
            started_at=_time(run["start_date"]),
            ended_at=_time(run["end_date"]),
        )


def by_settings(settings: Settings) -> AirflowRebuilder:
    """Of the Airflow that the settings name, else of the local stack, by the server's own login."""

    def login(_caller: Caller) -> AirflowApi:
        from include.local_stack import stack  # noqa: PLC0415

        if not settings.images_airflow_url:
            return stack.airflow_api(settings)
        password = settings.images_airflow_password
        return AirflowApi(
            settings.images_airflow_url,
            settings.images_airflow_user or "",
            password.get_secret_value() if password else "",
        )

    return AirflowRebuilder(login)


def with_rights_of_the_caller(url: str) -> AirflowRebuilder:
    """Of the Airflow at ``url``, as the caller, whose token it is that Airflow has given out."""
    return AirflowRebuilder(lambda caller: AirflowApi(url, token=caller.token or ""))


def _unknown(run_id: str) -> str:
    return f"There is no rebuild {run_id[:100]!r}."


def _time(text: str | None) -> datetime | None:
    return datetime.fromisoformat(text) if text else None
