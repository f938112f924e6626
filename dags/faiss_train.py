"""# FAISS indexes trained

Trains an index for each asked type on a sample of its table: how many lists, which codes, from which rows.

**Input:** the embedding tables in MySQL.
**Output:** a trained, empty index for each type, which `faiss_build` fills. What is served does not change.

Runs by hand with the form. `kind` auto takes the rule in docs/faiss.md; `ivf_pq` is the documented kind.

**When it fails:** the training before stays. The last task names the types that failed; read the logs of their tasks,
mend the cause, clear them. One failing type stops no other.
"""

from __future__ import annotations

from airflow.sdk import DAG

from include.music_index.parameters import FaissTrainParameters
from search_ops.defaults import DEFAULT_ARGS, POOL_MYSQL
from search_ops.forms import form
from search_ops.operators.faiss import FaissTrainOperator, FaissTypesOperator
from search_ops.operators.index_types import NAME, IndexReportOperator

with DAG(
    "faiss_train",
    schedule=None,
    params=form(FaissTrainParameters),
    default_args=DEFAULT_ARGS,
    max_active_runs=1,
    catchup=False,
    tags=["faiss", "mysql"],
    doc_md=__doc__,
):
    types = FaissTypesOperator(task_id="types", form=FaissTrainParameters)
    tasks = FaissTrainOperator.partial(task_id="train", pool=POOL_MYSQL, map_index_template=NAME)
    train = tasks.expand(type_name=types.output)
    IndexReportOperator(task_id="report", names=types.output, results=train.output)
