"""What a task's context means to the library: the run, its date, its parameters."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any, TypeVar

from airflow.sdk import Asset

from include.generations.names import run_key
from include.generations.run import Run
from include.parameters import Parameters
from include.settings import Settings, get_settings

P = TypeVar("P", bound=Parameters)

SERVERS = ("es_url", "qdrant_url", "kserve_url")


def run_date(context: Mapping[str, Any]) -> datetime:
    """The moment that a run is for: the end of its data interval, or when a manual run was asked for."""
    dag_run = context["dag_run"]
    date: datetime = dag_run.data_interval_end or dag_run.run_after
    return date


def run_of(context: Mapping[str, Any]) -> Run:
    """The run as the library knows it: the same after a retry or a cleared task."""
    dag_run = context["dag_run"]
    return Run(run_key("airflow", dag_run.dag_id, dag_run.run_id), run_date(context))


def parameters_of(context: Mapping[str, Any], kind: type[P], *, settings: Settings, inherits: Sequence[str] = ()) -> P:
    """The run's checked parameters.

    A server's URL that nobody changed means the server of ``settings``, which know the Airflow connections. A run that
    an asset event caused takes the names in ``inherits`` from the event.

    Raises:
        InputError: an unknown name or a value out of bounds.
    """
    asked = dict(context["dag_run"].conf or {})
    values = {**context["params"], **asked}
    for extra in event_extras(context):
        values |= {name: extra[name] for name in inherits if name in extra and name not in asked}
    untouched = (name for name in SERVERS if name in values and values[name] == getattr(get_settings(), name))
    return kind.checked(values | {name: getattr(settings, name) for name in untouched})


def whole_when_caused(parameters: P, context: Mapping[str, Any]) -> P:
    """Without the form's ``limit`` when an asset event caused the run: nobody chose it, and it would cut the input."""
    if not event_extras(context) or "limit" in (context["dag_run"].conf or {}):
        return parameters
    return parameters.model_copy(update={"limit": 0})


def event_extras(context: Mapping[str, Any]) -> list[dict[str, Any]]:
    """The extras of the asset events that caused this run, oldest first."""
    events = [event for batch in context.get("triggering_asset_events", {}).values() for event in batch]
    return [dict(event.extra) for event in sorted(events, key=lambda event: event.timestamp)]


def tell(context: Mapping[str, Any], outlets: Sequence[Asset], extra: Mapping[str, Any]) -> None:
    """Send a run's figures along with its asset events."""
    for asset in outlets:
        context["outlet_events"][asset].extra = dict(extra)
