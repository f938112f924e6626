"""# An earlier version of a FAISS index served again

Puts back the version that the served one was made from, or any other that is kept.

**Input:** the run's `type`, and its `version` (empty: the one before; `faiss_info` lists them).
**Output:** that version under `<file>.index`, its bytes checked before. Playlists are cached anew by the run that
follows. The next daily run goes on from there and brings in again all that has changed since.

Runs by hand with the form.

**When it fails:** the present version goes on. The message names the versions that are kept.
"""

from __future__ import annotations

from airflow.sdk import DAG

from include.music_index.parameters import FaissRollbackParameters
from search_ops.assets import FAISS_INDEX
from search_ops.defaults import DEFAULT_ARGS
from search_ops.forms import form
from search_ops.operators.faiss import FaissRollbackOperator

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
    FaissRollbackOperator(task_id="rollback", outlets=[FAISS_INDEX])
