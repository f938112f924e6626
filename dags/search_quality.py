"""# How good the search of documents is

Asks the queries of a relevance set in each mode, and compares what comes back with the documents that answer them.

**Input:** a relevance set, JSONL with `query`, `language` and `relevant` (document id: grade) in each line; the served
collection of documents, its vectors where it has any.
**Output:** recall@5, MRR@10 and nDCG@10 by mode and language: a table in the log of the task, the same figures with the
asset event and in `quality/<collection>/latest.json` of the state.

Runs every day at 06:00 Asia/Seoul once it is switched on, and by hand with the form. It measures what is served when it
runs, so a backfill tells nothing. Figures are compared with the best since a drop was last accepted; another relevance
set, or the same one edited, starts anew with a warning.

**When it fails:** a figure has dropped by more than `max_drop`, a mode could not be measured any more, or a floor was
not reached. The search serves on. The message names each figure and which relevant documents are gone. Mend the
documents, the analysis or the vectors and clear the task; when the drop is meant, run it by hand with `accept`.
"""

from __future__ import annotations

from datetime import timedelta

import pendulum
from airflow.sdk import DAG, CronTriggerTimetable

from include.fulltext.parameters import SearchQualityParameters
from search_ops.assets import SEARCH_QUALITY
from search_ops.defaults import DEFAULT_ARGS, POOL_ELASTICSEARCH
from search_ops.forms import form
from search_ops.operators.search_quality import SearchQualityOperator

with DAG(
    "search_quality",
    schedule=CronTriggerTimetable("0 6 * * *", timezone="Asia/Seoul", interval=timedelta(days=1)),
    start_date=pendulum.datetime(2026, 1, 1, tz="Asia/Seoul"),
    params=form(SearchQualityParameters),
    default_args={**DEFAULT_ARGS, "pool": POOL_ELASTICSEARCH},
    max_active_runs=1,
    catchup=False,
    is_paused_upon_creation=True,
    tags=["documents", "daily", "elasticsearch"],
    doc_md=__doc__,
):
    SearchQualityOperator(task_id="measure", outlets=[SEARCH_QUALITY])
