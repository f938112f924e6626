"""# A model version served by Triton

Puts an exported model beside the served version, checks it live, and switches to it.

**Input:** the exported model of the run's `model`, or of the export that caused the run.
**Output:** Triton serves the new version under the model's name; earlier versions stay for a roll back.

The new version is loaded under a name of its own first, warmed, and compared with the manifest's reference vectors.
Versions that a served collection was made with stay loaded beside it. A run that several exports caused deploys each.
One failing model stops no other: those that are served are announced, and what depends on them follows.

**When it fails:** the version served before goes on serving, and the bad one is taken away. The last task names the
models that failed; the logs of their tasks say which check did not pass.
"""

from __future__ import annotations

from airflow.sdk import DAG

from include.model_export.parameters import DeployParameters
from search_ops.assets import MODEL_EXPORT, SERVED_MODEL
from search_ops.defaults import DEFAULT_ARGS, POOL_TRITON
from search_ops.forms import form
from search_ops.operators.models import (
    DEPLOYED,
    TritonAnnounceOperator,
    TritonDeployModelOperator,
    TritonModelsOperator,
    TritonReportOperator,
)

with DAG(
    "triton_deployment",
    schedule=[MODEL_EXPORT],
    params=form(DeployParameters),
    default_args=DEFAULT_ARGS,
    max_active_runs=1,
    catchup=False,
    tags=["model", "triton"],
    doc_md=__doc__,
):
    models = TritonModelsOperator(task_id="models")
    tasks = TritonDeployModelOperator.partial(
        task_id="deploy", pool=POOL_TRITON, max_active_tis_per_dagrun=1, map_index_template="{{ task.model_name }}"
    )
    deploy = tasks.expand(model_name=models.output)
    TritonAnnounceOperator(task_id="announce", results=deploy.output[DEPLOYED], outlets=[SERVED_MODEL])
    TritonReportOperator(task_id="report", names=models.output, results=deploy.output)
