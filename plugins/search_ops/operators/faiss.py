"""Tasks over the FAISS indexes: one for each index type, and those that gather what became of them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from importlib import import_module
from typing import Any, ClassVar

from airflow.sdk.exceptions import AirflowSkipException

from include.music_index import parameters as forms
from search_ops.operators.build import SearchOperator
from search_ops.run_context import parameters_of, parameters_of_each, run_of, tell

NAME = "{{ task.type_name }}"  # of a mapped task, in place of its number

TOLD_ALERTS = 2  # of a type, in an event
TOLD_LETTERS = 120


class FaissTypesOperator(SearchOperator):
    """Name the index types that the run is for, of all events when such caused it.

    :param form: the parameters of the DAG.
    """

    def __init__(self, *, form: type[forms.TypeParameters], **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.form = form

    def execute(self, context: Mapping[str, Any]) -> list[str]:
        """Return their names, to map over."""
        asked = parameters_of_each(context, self.form, settings=self.settings, inherits=("type",))
        return list(dict.fromkeys(kind.name for each in asked for kind in forms.types_of(each)))


class FaissTypeOperator(SearchOperator):
    """Do the subclass's job for one index type.

    :param type_name: of the index type.
    """

    job: ClassVar[str]  # module and function: "include.music_index.train.train"
    form: ClassVar[type[forms.TypeParameters]]
    template_fields = ("type_name",)

    def __init__(self, *, type_name: Any, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.type_name = type_name

    def execute(self, context: Mapping[str, Any]) -> dict[str, Any]:
        """Return the figures."""
        from include.catalog.index_types import index_type  # noqa: PLC0415 — a DAG file must parse quickly

        module, _, function = self.job.rpartition(".")
        parameters = parameters_of(context, self.form, settings=self.settings)
        work = getattr(import_module(module), function)
        found: dict[str, Any] = work(index_type(self.type_name), parameters, run_of(context), self.settings)
        self.log.info("%s: %s", self.type_name, found)
        return found


class FaissTrainOperator(FaissTypeOperator):
    """Train an index on a sample of its table."""

    job = "include.music_index.train.train"
    form = forms.FaissTrainParameters


class FaissBuildOperator(FaissTypeOperator):
    """Fill a trained index with all rows, verify it, serve it."""

    job = "include.music_index.build.build"
    form = forms.FaissBuildParameters


class FaissRebuildOperator(FaissTypeOperator):
    """Train and build an index from nothing."""

    job = "include.music_index.rebuild.rebuild"
    form = forms.FaissRebuildParameters


class FaissIncrementOperator(FaissTypeOperator):
    """Bring an index up to the end of the run's data interval."""

    job = "include.music_index.increment.increment"
    form = forms.FaissIncrementParameters


class FaissRollbackOperator(FaissTypeOperator):
    """Serve an earlier version of an index again."""

    job = "include.music_index.rollback.rollback"
    form = forms.FaissRollbackParameters


class FaissGatherOperator(SearchOperator):
    """Base of what works with the figures of all types that have succeeded.

    :param results: what the tasks of the types returned.
    """

    template_fields: Sequence[str] = ("results",)

    def __init__(self, *, results: Any, **kwargs: Any) -> None:
        super().__init__(trigger_rule="all_done", **kwargs)
        self.results = results


class FaissAnnounceOperator(FaissGatherOperator):
    """Tell who depends on the indexes which versions are served now; skipped when none of them is new."""

    def execute(self, context: Mapping[str, Any]) -> dict[str, Any]:
        """Return the figures that go with the asset event."""
        published = [found for found in self.results if found["outcome"] == "published"]
        if not published:
            raise AirflowSkipException("No index has changed, so nobody is told.")
        extra = {"types": {found["type"]: _told(found) for found in published}}
        tell(context, self.outlets, extra)
        return extra


class FaissDriftOperator(FaissGatherOperator):
    """Cause a rebuild of the types that have drifted, where the settings ask for that; else fail with what was found.

    A red task is the alert: the run says why it failed, while all of its versions are served.
    """

    def execute(self, context: Mapping[str, Any]) -> dict[str, Any]:
        """Return which types and why."""
        from include.errors import FatalError  # noqa: PLC0415

        alerts = {found["type"]: found["drift"]["alerts"] for found in self.results if found["drift"]["alerts"]}
        if not alerts:
            raise AirflowSkipException("No index has drifted.")
        if not self.settings.faiss_rebuild_on_drift:
            told = "; ".join(f"{name}: {', '.join(each)}" for name, each in alerts.items())
            msg = (
                f"Drift: {told}. All versions are served. Run faiss_rebuild for these types, or set "
                "EMBSEARCH_FAISS_REBUILD_ON_DRIFT=true to have that done."
            )
            raise FatalError(msg)
        extra = {"type": ",".join(alerts), "alerts": {name: _cut(each) for name, each in alerts.items()}}
        tell(context, self.outlets, extra)
        return extra


class FaissReportOperator(FaissGatherOperator):
    """The last task of a run: fails when a type failed, and says which.

    :param types: the names of all types of the run; None when they could not be told.
    """

    template_fields = ("results", "types")

    def __init__(self, *, types: Any, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.types = types

    def execute(self, context: Mapping[str, Any]) -> dict[str, Any]:  # noqa: ARG002
        """Return a line of figures for each type."""
        from include.errors import FatalError  # noqa: PLC0415

        found = {each["type"]: each for each in self.results}
        for name, each in found.items():
            self.log.info("%s: %s", name, each)
        if self.types is None:
            raise FatalError("The run's first task failed: see its log.")
        if failed := [name for name in self.types if name not in found]:
            msg = (
                f"{len(failed)} of {len(self.types)} index types failed: {', '.join(failed)}. The others are done. "
                "Read the logs of their tasks, mend the cause, clear those tasks."
            )
            raise FatalError(msg)
        return {name: {key: each[key] for key in ("outcome", "rows") if key in each} for name, each in found.items()}


class FaissInfoOperator(SearchOperator):
    """Show what is known of the indexes."""

    def execute(self, context: Mapping[str, Any]) -> dict[str, Any]:
        """Return the most telling figures of each; the log has all."""
        from include.music_index.info import info  # noqa: PLC0415 — a DAG file must parse quickly
        from include.music_index.several import for_each  # noqa: PLC0415

        parameters = parameters_of(context, forms.FaissInfoParameters, settings=self.settings)
        shown = {}
        for found in for_each(info, forms.types_of(parameters), parameters, run_of(context), self.settings):
            self.log.info("%s: %s", found["type"], found)
            if found["damage"]:
                self.log.error("%s: %s", found["type"], found["damage"])
            shown[found["type"]] = {key: found[key] for key in _SHOWN if found.get(key) is not None}
        return shown


_SHOWN = ("served", "kind", "nlist", "is_trained", "ntotal", "d", "watermark", "recall_at_10", "file")


def _told(found: Mapping[str, Any]) -> dict[str, Any]:
    """A version as an event tells it; seven of them stay below 4 KiB."""
    told = {"version": found["version"], "rows": found["rows"], "recall_at_10": found["recall_at_10"]}
    told |= {name: count for name, count in found.get("changes", {}).items() if name != "unchanged"}
    if bad := found.get("bad", {}).get("count"):
        told["bad"] = bad
    if "repaired" in found:
        told["repaired"] = _cut(found["repaired"]["damaged"])
    if alerts := found.get("drift", {}).get("alerts"):
        told["alerts"] = _cut(alerts)
    return told


def _cut(texts: list[str]) -> list[str]:
    return [text[:TOLD_LETTERS] for text in texts[:TOLD_ALERTS]]
