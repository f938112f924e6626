"""Tasks of a model's life."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from include.model_export.parameters import DeployParameters, ExportParameters
from include.triton.parameters import RollbackParameters
from search_ops.operators.build import SearchOperator
from search_ops.run_context import parameters_of, parameters_of_each, run_of, tell


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


class TritonDeployModelOperator(SearchOperator):
    """Serve an exported model; what was served before goes on until the new version has passed its check.

    A run that several exports caused deploys each of them, oldest first; one that fails does not keep the others back.
    """

    def execute(self, context: Mapping[str, Any]) -> dict[str, Any]:
        """Return the served version and the probe's figures; ``also`` has those of further exports, oldest first."""
        from dataclasses import asdict  # noqa: PLC0415

        from include.errors import EmbsearchError, TransientError  # noqa: PLC0415
        from include.images.served_models import with_images  # noqa: PLC0415
        from include.model_export.launch import exported_folder  # noqa: PLC0415
        from include.triton.beside import needed_fingerprints  # noqa: PLC0415
        from include.triton.deploy import deploy  # noqa: PLC0415

        inherits = ("model", "precision", "fuse")
        done: list[dict[str, Any]] = []
        failed: list[EmbsearchError] = []
        needed = with_images(needed_fingerprints(self.settings), self.settings)
        for asked in parameters_of_each(context, DeployParameters, settings=self.settings, inherits=inherits):
            settings = self.settings.model_copy(update={"triton_runtime": asked.runtime})
            try:
                folder = exported_folder(asked.model, settings, **asked.form)
                done.append(asdict(deploy(folder, settings, needed=needed)))
            except EmbsearchError as error:
                self.log.error("%s in %s: %s", asked.model, asked.precision, error)  # noqa: TRY400 — it is raised below
                failed.append(error)
        if failed:
            raise next((error for error in failed if isinstance(error, TransientError)), failed[0])
        *others, last = done
        summary = {**last, "also": others} if others else last
        tell(context, self.outlets, summary)
        return summary


class TritonRollbackOperator(SearchOperator):
    """Serve an earlier version of a model again; the present one goes on until that has passed its check."""

    def execute(self, context: Mapping[str, Any]) -> dict[str, Any]:
        """Return the served version and the probe's figures."""
        from dataclasses import asdict  # noqa: PLC0415

        from include.images.served_models import with_images  # noqa: PLC0415
        from include.triton.beside import needed_fingerprints  # noqa: PLC0415
        from include.triton.deploy import rollback  # noqa: PLC0415

        asked = parameters_of(context, RollbackParameters, settings=self.settings)
        done = rollback(
            asked.model,
            self.settings,
            to_version=asked.version or None,
            run_key=run_of(context).key,
            needed=with_images(needed_fingerprints(self.settings), self.settings),
        )
        summary = asdict(done)
        tell(context, self.outlets, summary)
        return summary
