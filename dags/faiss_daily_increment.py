"""# The day's vectors in the FAISS indexes

Brings each index up to the end of the run's day: rows that came or changed, rows committed late, rows deleted.

**Input:** the embedding tables in MySQL; the served version of each index.
**Output:** a new version of each index, served as `<file>.index` and `<file>_YYYYMMDD.index`, the one before kept as a
backup. Rows that cannot be used are set aside, counted, and listed in `bad_rows.jsonl` beside the versions.

Runs every day at 16:58 Asia/Seoul once it is switched on. Missed days are made up for by the next run, or by a backfill
over a date range, in any order: an index always ends with the rows that one build would have. A run again that finds
nothing new serves nothing new.

Drift is measured each time. When there is any, the task `drift` fails with what was found, and so does the run, while
all versions are served: run `faiss_rebuild`. With `EMBSEARCH_FAISS_REBUILD_ON_DRIFT=true` it causes that instead.

What it does not see: a change of a row whose transaction stayed open for longer than `overlap_hours` (24) after its
`updated_at`. Run it by hand now and then with `overlap_hours` 8760: it compares the rows of a year and changes only
what differs. New and deleted rows are found however late.

**When it fails:** the versions served before go on. The last task names the types that failed; read the logs of their
tasks, mend the cause, clear them. One failing type stops no other. A served index whose bytes have changed is put back
to the version before by itself, and reported.
"""

from __future__ import annotations

from datetime import timedelta

import pendulum
from airflow.sdk import DAG, CronTriggerTimetable

from include.music_index.parameters import FaissIncrementParameters
from search_ops.assets import FAISS_DRIFT, FAISS_INDEX
from search_ops.defaults import DEFAULT_ARGS, POOL_MYSQL
from search_ops.forms import form
from search_ops.operators.faiss import FaissDriftOperator, FaissIncrementOperator, FaissTypesOperator
from search_ops.operators.index_types import NAME, IndexAnnounceOperator, IndexReportOperator

with DAG(
    "faiss_daily_increment",
    schedule=CronTriggerTimetable("58 16 * * *", timezone="Asia/Seoul", interval=timedelta(days=1)),
    start_date=pendulum.datetime(2026, 1, 1, tz="Asia/Seoul"),
    params=form(FaissIncrementParameters),
    default_args=DEFAULT_ARGS,
    max_active_runs=1,
    catchup=False,
    is_paused_upon_creation=True,
    tags=["faiss", "daily", "mysql"],
    doc_md=__doc__,
):
    types = FaissTypesOperator(task_id="types", form=FaissIncrementParameters)
    tasks = FaissIncrementOperator.partial(task_id="increment", pool=POOL_MYSQL, map_index_template=NAME)
    increment = tasks.expand(type_name=types.output)
    IndexAnnounceOperator(task_id="announce", results=increment.output, outlets=[FAISS_INDEX])
    FaissDriftOperator(task_id="drift", results=increment.output, outlets=[FAISS_DRIFT])
    IndexReportOperator(task_id="report", names=types.output, results=increment.output)
