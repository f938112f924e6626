"""# FAISS indexes rebuilt from nothing

Trains and fills the index of each asked type in one go, whatever is left of the one before; verifies and serves it.

**Input:** the embedding tables in MySQL.
**Output:** a new version of each index, served as `<file>.index` and `<file>_YYYYMMDD.index`.

Runs by hand with the form: for the first time, after a loss, or when an increment says that an index has drifted. With
the setting `faiss_rebuild_on_drift` the daily run causes it for the types that have.

**When it fails:** the version served before, if there is one, goes on. The last task names the types that failed; read
the logs of their tasks, mend the cause, clear them. One failing type stops no other.
"""

from __future__ import annotations

from airflow.sdk import DAG

from include.music_index.parameters import FaissRebuildParameters
from search_ops.assets import FAISS_DRIFT, FAISS_INDEX
from search_ops.defaults import DEFAULT_ARGS, POOL_MYSQL
from search_ops.forms import form
from search_ops.operators.faiss import FaissRebuildOperator, FaissTypesOperator
from search_ops.operators.index_types import NAME, IndexAnnounceOperator, IndexReportOperator

with DAG(
    "faiss_rebuild",
    schedule=[FAISS_DRIFT],
    params=form(FaissRebuildParameters),
    default_args=DEFAULT_ARGS,
    max_active_runs=1,
    catchup=False,
    tags=["faiss", "mysql"],
    doc_md=__doc__,
):
    types = FaissTypesOperator(task_id="types", form=FaissRebuildParameters)
    tasks = FaissRebuildOperator.partial(task_id="rebuild", pool=POOL_MYSQL, map_index_template=NAME)
    rebuild = tasks.expand(type_name=types.output)
    IndexAnnounceOperator(task_id="announce", results=rebuild.output, outlets=[FAISS_INDEX])
    IndexReportOperator(task_id="report", names=types.output, results=rebuild.output)
