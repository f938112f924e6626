"""# A model exported to ONNX, with proof

Exports a model of the catalogue to one ONNX graph with pooling and normalisation inside, in the asked precision.

**Input:** the catalogue's entry: a Hugging Face encoder, a local folder, or weights of an installed package.
**Output:** a folder with `model.onnx`, its tokenizer or preprocessing, and `manifest.json`. The manifest holds the
gate's figures: the graph is valid, batch and sequence are dynamic, and its vectors are those of the source model.

Runs by hand. The first run makes the export environment, several GB. An export that stands already is not done again
unless `force` is set.

**When it fails:** nothing was deployed. A failed gate names the check and the figure.
"""

from __future__ import annotations

from airflow.sdk import DAG

from include.model_export.parameters import ExportParameters
from search_ops.assets import MODEL_EXPORT
from search_ops.defaults import DEFAULT_ARGS
from search_ops.forms import form
from search_ops.operators.models import ModelExportOperator

with DAG(
    "model_export",
    schedule=None,
    params=form(ExportParameters),
    default_args=DEFAULT_ARGS,
    max_active_runs=1,
    catchup=False,
    tags=["model", "onnx"],
    doc_md=__doc__,
):
    ModelExportOperator(task_id="export", outlets=[MODEL_EXPORT])
