"""What a task's context means to the library: the run, its date, its parameters."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any, TypeVar

from airflow.sdk import Asset
from airflow.sdk.exceptions import AirflowSkipException

from include.generations.names import run_key
from include.generations.run import Run
from include.parameters import Parameters
from include.settings import Settings, get_settings
from search_ops.forms import filled

P = TypeVar("P", bound=Parameters)

SERVERS = ("es_url", "qdrant_url", "kserve_url")


def run_date(context: Mapping[str, Any]) -> datetime:
    """The moment that a run is for: the end of its data interval, or when a manual run was asked for."""
    dag_run = context["dag_run"]
    date: datetime = dag_run.data_interval_end or dag_run.run_after
    return date


def day_of(context: Mapping[str, Any]) -> str:
    """The run's day, YYYY-MM-DD in the DAG's time zone."""
    return f"{run_date(context).astimezone(context['dag'].timezone):%Y-%m-%d}"


def skip_without(path: str, day: str, *, what: str = "input") -> None:
    """Skip the run when there is nothing at ``path`` for its day; a relative path starts at the project's root.

    Raises:
        NotAllowed: runs may not read there.
    """
    from include.sources.roots import check_input  # noqa: PLC0415 — a DAG file must parse quickly

    if not (found := check_input(path)).exists():
        msg = f"No {what} for {day}: {found} does not exist. Nothing to do."
        raise AirflowSkipException(msg)


def skip_foreign(context: Mapping[str, Any], parameters: Parameters, follows: Sequence[str]) -> None:
    """Skip a run all of whose asset events differ from ``parameters`` in one of the names in ``follows``.

    What the workflow has no parameter for is compared with the settings: text needs no model, but follows the one that
    is served here.
    """
    named = type(parameters).model_fields
    kept = {name: getattr(parameters if name in named else get_settings(), name) for name in follows}
    for extra in (extras := event_extras(context)):
        others = [name for name in follows if name in extra and not _same(name, extra[name], kept[name])]
        if not others:
            return
    if extras:
        name = others[0]
        msg = (
            f"The event is about {name} {extra[name]!r}, this DAG keeps {kept[name]!r} fresh. "
            f"Nothing to do. To switch, set EMBSEARCH_{name.upper()} or run it by hand."
        )
        raise AirflowSkipException(msg)


def _same(name: str, told: Any, kept: Any) -> bool:
    from include.sources.addresses import same_server  # noqa: PLC0415 — a DAG file must parse quickly

    return same_server(told, kept) if name in SERVERS else bool(told == kept)


def run_of(context: Mapping[str, Any]) -> Run:
    """The run as the library knows it: the same after a retry or a cleared task."""
    dag_run = context["dag_run"]
    start = dag_run.data_interval_start if dag_run.data_interval_end else None
    return Run(run_key("airflow", dag_run.dag_id, dag_run.run_id), run_date(context), start=start)


def parameters_of(
    context: Mapping[str, Any], kind: type[P], *, settings: Settings, given: Mapping[str, Any] | None = None
) -> P:
    """The run's checked parameters; those that were ``given`` to the task take the place of the form's defaults.

    A server's URL that nobody changed means the server of ``settings``, which know the Airflow connections.

    Raises:
        InputError: an unknown name or a value out of bounds.
    """
    (found,) = _parameters(context, kind, settings, [given or {}])
    return found


def parameters_of_each(
    context: Mapping[str, Any], kind: type[P], *, settings: Settings, inherits: Sequence[str]
) -> list[P]:
    """:func:`parameters_of` for each asset event that caused the run, with the names in ``inherits`` from the event.

    Oldest first, of equal ones the last; of a run that no event caused, its own alone.
    """
    extras = [{name: extra[name] for name in inherits if name in extra} for extra in event_extras(context)]
    found = _parameters(context, kind, settings, extras or [{}])
    return list(dict.fromkeys(reversed(found)))[::-1]


def _parameters(
    context: Mapping[str, Any], kind: type[P], settings: Settings, inherited: Sequence[Mapping[str, Any]]
) -> list[P]:
    asked = dict(context["dag_run"].conf or {})
    found = []
    for extra in inherited:
        values = {**context["params"], **extra, **asked}
        untouched = (name for name in SERVERS if name in values and values[name] == getattr(get_settings(), name))
        values |= {name: getattr(settings, name) for name in untouched}
        found.append(kind.checked(filled(values, kind)))
    return found


def whole_when_caused(parameters: P, context: Mapping[str, Any]) -> P:
    """All of the input, and what is served besides, when an asset event caused the run.

    Nobody chose the form's ``limit`` then, which would cut the input, nor asked for other products to be dropped.
    """
    if not event_extras(context):
        return parameters
    chosen = context["dag_run"].conf or {}
    whole = {"limit": 0, "keep_others": True}
    names = (name for name in whole if name in type(parameters).model_fields and name not in chosen)
    return parameters.model_copy(update={name: whole[name] for name in names})


def event_extras(context: Mapping[str, Any]) -> list[dict[str, Any]]:
    """The extras of the asset events that caused this run, oldest first.

    Airflow starts one run for all events that came while another ran. An event that tells of several things at once has
    the earlier ones in ``also``.
    """
    events = [event for batch in context.get("triggering_asset_events", {}).values() for event in batch]
    found: list[dict[str, Any]] = []
    for event in sorted(events, key=lambda event: event.timestamp):
        extra = dict(event.extra)
        found += [*extra.pop("also", []), extra]
    return found


def tell(context: Mapping[str, Any], outlets: Sequence[Asset], extra: Mapping[str, Any]) -> None:
    """Send a run's figures along with its asset events."""
    for asset in outlets:
        context["outlet_events"][asset].extra = dict(extra)
