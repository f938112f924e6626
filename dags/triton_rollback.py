"""# An earlier model version served again by Triton

Puts back the version that was served before, or any other that is kept.

**Input:** the run's `model`, and its `version` (0: the one before).
**Output:** Triton serves that version under the model's name. What was served until now goes on beside it, for the
collection that holds its vectors; keywords are then indexed anew, and products linked anew, by the runs that follow.

The version is loaded and compared with its manifest's reference vectors before it is kept. Which version it is, is
decided once a run: a retry or a cleared task goes on with the same.

**When it fails:** the present version goes on serving. The message names the versions that are kept, or the check that
did not pass.
"""

from __future__ import annotations

from airflow.sdk import DAG

from include.triton.parameters import RollbackParameters
from search_ops.assets import SERVED_MODEL
from search_ops.defaults import DEFAULT_ARGS, POOL_TRITON
from search_ops.forms import form
from search_ops.operators.models import TritonRollbackOperator

with DAG(
    "triton_rollback",
    schedule=None,
    params=form(RollbackParameters),
    default_args=DEFAULT_ARGS,
    max_active_runs=1,
    catchup=False,
    tags=["model", "triton"],
    doc_md=__doc__,
):
    TritonRollbackOperator(task_id="rollback", pool=POOL_TRITON, outlets=[SERVED_MODEL])
