"""# Dead letters sent again

Sends documents that Elasticsearch refused, after the cause is mended.

**Input:** the dead letters of one run (`run`, the generation's name), or of all runs when it is empty.
**Output:** the documents stand in the index they were meant for; those refused again stay dead letters.

Runs by hand. `dry_run`, the default, only counts and shows what is there. Sending twice does no harm: a document that a
later run wrote is never replaced by an older one.

**When it fails:** nothing is lost; what was not sent is still there. The log names each run that failed and why; all
others are sent. Run it again.
"""

from __future__ import annotations

from airflow.sdk import DAG

from include.elastic.parameters import ReplayParameters
from search_ops.defaults import DEFAULT_ARGS, POOL_ELASTICSEARCH
from search_ops.forms import form
from search_ops.operators.dead_letters import DeadLetterReplayOperator

with DAG(
    "dead_letter_replay",
    schedule=None,
    params=form(ReplayParameters),
    default_args=DEFAULT_ARGS,
    max_active_runs=1,
    catchup=False,
    tags=["elasticsearch", "repair"],
    doc_md=__doc__,
):
    DeadLetterReplayOperator(task_id="replay", pool=POOL_ELASTICSEARCH)
