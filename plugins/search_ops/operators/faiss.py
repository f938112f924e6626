"""Tasks over the FAISS indexes of the music."""

from __future__ import annotations

from collections.abc import Mapping
from importlib import import_module
from typing import Any, ClassVar

from airflow.sdk.exceptions import AirflowSkipException

from include.music_index import parameters as forms
from search_ops.operators.build import SearchOperator
from search_ops.operators.gather import GatherOperator
from search_ops.operators.index_types import IndexTypeOperator, cut
from search_ops.run_context import parameters_of, parameters_of_each, run_of, tell


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


class FaissTypeOperator(IndexTypeOperator):
    """Do the subclass's job for one index type."""

    job: ClassVar[str]  # module and function: "include.music_index.train.train"
    form: ClassVar[type[forms.TypeParameters]]

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


class FaissDriftOperator(GatherOperator):
    """Cause a rebuild of the types that have drifted, where the settings ask for that; else fail with what was found.

    A red task is the alert: the run says why it failed, while all of its versions are served.
    """

    def execute(self, context: Mapping[str, Any]) -> dict[str, Any]:
        """Return which types and why."""
        from include.errors import FatalError  # noqa: PLC0415

        alerts = {found["type"]: found["drift"]["alerts"] for found in self.results if found["drift"]["alerts"]}
        if not alerts:
            raise AirflowSkipException("No index has drifted.")
        told = "; ".join(f"{name}: {', '.join(each)}" for name, each in alerts.items())
        if not self.settings.faiss_rebuild_on_drift:
            msg = (
                f"Drift: {told}. All versions are served. Run faiss_rebuild for these types, or set "
                "EMBSEARCH_FAISS_REBUILD_ON_DRIFT=true to have that done."
            )
            raise FatalError(msg)
        self.log.warning("Drift: %s. All versions are served; faiss_rebuild follows for these types.", told)
        extra = {"type": ",".join(alerts), "alerts": {name: cut(each) for name, each in alerts.items()}}
        tell(context, self.outlets, extra)
        return extra


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
