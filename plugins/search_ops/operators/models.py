"""Tasks of a model's life."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from airflow.sdk.exceptions import AirflowSkipException

from include.model_export.parameters import DeployParameters, ExportParameters
from include.triton.parameters import RollbackParameters
from search_ops.operators.build import SearchOperator
from search_ops.operators.gather import GatherOperator, ReportOperator
from search_ops.run_context import parameters_of, parameters_of_each, run_of, tell

DEPLOYED = "deployed"  # XCom of the mapped tasks
EXPORT = ("model", "precision", "fuse")  # what an event says of an export


class ModelExportOperator(SearchOperator):
    """Export a model to ONNX in the export environment, through the gate."""

    def execute(self, context: Mapping[str, Any]) -> dict[str, Any]:
        """Return the folder and the gate's figures."""
        from include.model_export.launch import export_model  # noqa: PLC0415 — a DAG file must parse quickly
        from include.model_export.manifest import Manifest  # noqa: PLC0415

        asked = parameters_of(context, ExportParameters, settings=self.settings)
        summary = Manifest.read(export_model(asked.model, self.settings, force=asked.force, **asked.form)).summary()
        tell(context, self.outlets, summary)
        return summary


class TritonModelsOperator(SearchOperator):
    """Name the models that the run is for: that of the form, or those of all exports that caused the run."""

    def execute(self, context: Mapping[str, Any]) -> list[str]:
        """Return their names, to map over."""
        asked = parameters_of_each(context, DeployParameters, settings=self.settings, inherits=EXPORT)
        return list(dict.fromkeys(each.model for each in asked))


class TritonDeployModelOperator(SearchOperator):
    """Serve the exports of one model; what was served before goes on until the new version has passed its check.

    Of several exports the oldest comes first; one that fails does not keep the others back. XCom ``deployed`` has the
    figures of the one that is served in the end, also where the task fails because of another.

    :param model_name: of the model.
    """

    template_fields = ("model_name",)

    def __init__(self, *, model_name: Any, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.model_name = model_name

    def execute(self, context: Mapping[str, Any]) -> dict[str, Any]:
        """Return the served version and the probe's figures."""
        from dataclasses import asdict  # noqa: PLC0415

        from include.errors import EmbsearchError, TransientError  # noqa: PLC0415
        from include.model_export.launch import exported_folder  # noqa: PLC0415
        from include.needed_models import needed_models  # noqa: PLC0415
        from include.triton.deploy import deploy  # noqa: PLC0415

        done: dict[str, Any] = {}
        failed: list[EmbsearchError] = []
        needed = needed_models(self.settings)
        for asked in parameters_of_each(context, DeployParameters, settings=self.settings, inherits=EXPORT):
            if asked.model != self.model_name:
                continue
            settings = self.settings.model_copy(update={"triton_runtime": asked.runtime})
            try:
                done = asdict(deploy(exported_folder(asked.model, settings, **asked.form), settings, needed=needed))
            except EmbsearchError as error:
                self.log.error("%s in %s: %s", asked.model, asked.precision, error)  # noqa: TRY400 — it is raised below
                failed.append(error)
            else:
                context["ti"].xcom_push(DEPLOYED, done)
        if failed:
            raise next((error for error in failed if isinstance(error, TransientError)), failed[0])
        return done


class TritonAnnounceOperator(GatherOperator):
    """Tell who depends on models which are served now; skipped when none is."""

    def execute(self, context: Mapping[str, Any]) -> dict[str, Any]:
        """Return the figures of the last one; ``also`` has those of the others."""
        if not (served := list(self.results)):
            raise AirflowSkipException("No model was deployed, so nobody is told.")
        *others, last = served
        summary = {**last, "also": others} if others else last
        tell(context, self.outlets, summary)
        return summary


class TritonReportOperator(ReportOperator):
    """The last task of a run: fails when a model's deployment failed, and says which."""

    key, what, shown = "model", "models", ("version", "changed")


class TritonRollbackOperator(SearchOperator):
    """Serve an earlier version of a model again; the present one goes on until that has passed its check."""

    def execute(self, context: Mapping[str, Any]) -> dict[str, Any]:
        """Return the served version and the probe's figures."""
        from dataclasses import asdict  # noqa: PLC0415

        from include.needed_models import needed_models  # noqa: PLC0415
        from include.triton.deploy import rollback  # noqa: PLC0415

        asked = parameters_of(context, RollbackParameters, settings=self.settings)
        done = rollback(
            asked.model,
            self.settings,
            to_version=asked.version or None,
            run_key=run_of(context).key,
            needed=needed_models(self.settings),
        )
        summary = asdict(done)
        tell(context, self.outlets, summary)
        return summary
