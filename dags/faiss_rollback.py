"""# An earlier version of a FAISS index served again

Puts back the version that the served one was made from, or any other that is kept.

**Input:** the run's `type`, which must be given (names by commas, or `all`), and its `version` (empty: the one before;
`faiss_info` lists them).
**Output:** that version under `<file>.index`, its bytes checked before. Playlists are cached anew by the run that
follows. The next daily run goes on from there and brings in again all that has changed since.

Where it leads is decided once a run and type: a retry or a cleared task goes to the same version. One failing type
stops no other; those that are done are announced.

Runs by hand with the form.

**When it fails:** the present version goes on. The last task names the types that failed; the logs of their tasks name
the versions that are kept.
"""

from __future__ import annotations

from airflow.sdk import DAG

from include.music_index.parameters import FaissRollbackParameters
from search_ops.assets import FAISS_INDEX
from search_ops.defaults import DEFAULT_ARGS
from search_ops.forms import form
from search_ops.operators.faiss import FaissRollbackOperator, FaissTypesOperator
from search_ops.operators.index_types import NAME, IndexAnnounceOperator, IndexReportOperator

with DAG(
    "faiss_rollback",
    schedule=None,
    params=form(FaissRollbackParameters),
    default_args=DEFAULT_ARGS,
    max_active_runs=1,
    catchup=False,
    tags=["faiss"],
    doc_md=__doc__,
):
    types = FaissTypesOperator(task_id="types", form=FaissRollbackParameters)
    rollback = FaissRollbackOperator.partial(task_id="rollback", map_index_template=NAME).expand(type_name=types.output)
    IndexAnnounceOperator(task_id="announce", results=rollback.output, outlets=[FAISS_INDEX])
    IndexReportOperator(task_id="report", names=types.output, results=rollback.output)
