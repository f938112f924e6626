"""# FAISS indexes filled

Fills the trained index of each asked type with every row of its table, verifies it by measured recall, and serves it.

**Input:** the trainings of `faiss_train`; the embedding tables in MySQL.
**Output:** a new version of each index, served as `<file>.index` and `<file>_YYYYMMDD.index`. Rows that cannot be used
are set aside, counted, and listed in `bad_rows.jsonl` beside the versions.

Runs by hand with the form.

**When it fails:** the version served before goes on. The last task names the types that failed; read the logs of their
tasks, mend the cause, clear them. One failing type stops no other.
"""

from __future__ import annotations

from airflow.sdk import DAG

from include.music_index.parameters import FaissBuildParameters
from search_ops.assets import FAISS_INDEX
from search_ops.defaults import DEFAULT_ARGS, POOL_MYSQL
from search_ops.forms import form
from search_ops.operators.faiss import FaissBuildOperator, FaissTypesOperator
from search_ops.operators.index_types import NAME, IndexAnnounceOperator, IndexReportOperator

with DAG(
    "faiss_build",
    schedule=None,
    params=form(FaissBuildParameters),
    default_args=DEFAULT_ARGS,
    max_active_runs=1,
    catchup=False,
    tags=["faiss", "mysql"],
    doc_md=__doc__,
):
    types = FaissTypesOperator(task_id="types", form=FaissBuildParameters)
    tasks = FaissBuildOperator.partial(task_id="build", pool=POOL_MYSQL, map_index_template=NAME)
    build = tasks.expand(type_name=types.output)
    IndexAnnounceOperator(task_id="announce", results=build.output, outlets=[FAISS_INDEX])
    IndexReportOperator(task_id="report", names=types.output, results=build.output)
