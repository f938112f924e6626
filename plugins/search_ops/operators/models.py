"""Tasks of a model's life."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from include.model_export.parameters import ModelParameters
from include.triton.parameters import RollbackParameters
from search_ops.operators.build import SearchOperator
from search_ops.run_context import parameters_of, tell


class ModelExportOperator(SearchOperator):
    """Export a model to ONNX in the export environment, through the gate."""

    def execute(self, context: Mapping[str, Any]) -> dict[str, Any]:
        """Return the folder and the gate's figures."""
        from include.model_export.launch import export_model  # noqa: PLC0415 — a DAG file must parse quickly
        from include.model_export.manifest import Manifest  # noqa: PLC0415

        parameters = parameters_of(context, ModelParameters, settings=self.settings)
        summary = Manifest.read(export_model(parameters.model, self.settings, **parameters.form)).summary()
        tell(context, self.outlets, summary)
        return summary


class TritonDeployModelOperator(SearchOperator):
    """Serve an exported model; what was served before goes on until the new version has passed its check."""

    def execute(self, context: Mapping[str, Any]) -> dict[str, Any]:
        """Return the served version and the probe's figures."""
        from dataclasses import asdict  # noqa: PLC0415

        from include.model_export.launch import exported_folder  # noqa: PLC0415
        from include.triton.deploy import deploy  # noqa: PLC0415

        inherits = ("model", "precision", "fuse")
        parameters = parameters_of(context, ModelParameters, settings=self.settings, inherits=inherits)
        folder = exported_folder(parameters.model, self.settings, **parameters.form)
        summary = asdict(deploy(folder, self.settings))
        tell(context, self.outlets, summary)
        return summary


class TritonRollbackOperator(SearchOperator):
    """Serve an earlier version of a model again; the present one goes on until that has passed its check."""

    def execute(self, context: Mapping[str, Any]) -> dict[str, Any]:
        """Return the served version and the probe's figures."""
        from dataclasses import asdict  # noqa: PLC0415

        from include.triton.deploy import rollback  # noqa: PLC0415

        parameters = parameters_of(context, RollbackParameters, settings=self.settings)
        summary = asdict(rollback(parameters.model, self.settings, to_version=parameters.version or None))
        tell(context, self.outlets, summary)
        return summary
