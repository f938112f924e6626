"""# What the FAISS indexes are

Shows of each asked type what is served: kind, lists, rows, dimension, recall, up to when, and whether it is whole.

**Input:** the served version of each index.
**Output:** the figures, in the log of the task and in what it returns.

Runs by hand with the form.

**When it fails:** nothing is changed. An index that is damaged is an error in the log, which says what to do.
"""

from __future__ import annotations

from airflow.sdk import DAG

from include.music_index.parameters import FaissInfoParameters
from search_ops.defaults import DEFAULT_ARGS
from search_ops.forms import form
from search_ops.operators.faiss import FaissInfoOperator

with DAG(
    "faiss_info",
    schedule=None,
    params=form(FaissInfoParameters),
    default_args=DEFAULT_ARGS,
    max_active_runs=1,
    catchup=False,
    tags=["faiss"],
    doc_md=__doc__,
):
    FaissInfoOperator(task_id="info")
