"""# Documents as searchable text

Brings a collection up to its documents: cuts their text into chunks and indexes those that are new or have changed.

**Input:** a folder of `.txt`, `.md`, `.html`, `.json` and `.jsonl` files, or Parquet with `id`, `title`, `text` and
`metadata` (setting `documents`). `{date}` in the path is the run's day; a day without documents is skipped.
**Output:** index `documents`, an Elasticsearch document for each document with its chunks nested inside; its chunk
texts as Parquet, from which `document_vector_index` makes vectors.

Runs every day at 05:00 Asia/Seoul once it is switched on, and by hand with the form. Unchanged documents are known by
a hash and left alone; a document changes for its readers in one step. A backfill of older days replaces nothing that a
later day wrote, found unchanged, or deleted. A new index is filled beside the served one only for the first run, with
`rebuild`, or when texts are to be cut or taken apart in another way. Without `rebuild` or `delete_missing`
such an index must have all documents of the served one, or the run fails and the served one stays. The task
`chunks` is skipped when no chunk text has changed, and when the last document was deleted.

**When it fails:** what is served stays, and each document in it is whole. Read the error in the log of the failed
task, mend the cause, clear the task: what was written is not written again. Documents that cannot be used are listed
in the file that the log names; those that Elasticsearch refused are dead letters: see `dead_letter_replay`.
"""

from __future__ import annotations

from datetime import timedelta

import pendulum
from airflow.sdk import DAG, CronTriggerTimetable

from include.fulltext.parameters import DocumentIndexParameters
from search_ops.assets import DOCUMENT_CHUNKS, DOCUMENT_TEXT
from search_ops.defaults import DEFAULT_ARGS, POOL_ELASTICSEARCH
from search_ops.forms import form
from search_ops.operators.fulltext import DocumentChunksOperator, DocumentIndexOperator

with DAG(
    "document_fulltext_index",
    schedule=CronTriggerTimetable("0 5 * * *", timezone="Asia/Seoul", interval=timedelta(days=1)),
    start_date=pendulum.datetime(2026, 1, 1, tz="Asia/Seoul"),
    params=form(DocumentIndexParameters),
    default_args={**DEFAULT_ARGS, "pool": POOL_ELASTICSEARCH},
    max_active_runs=1,
    catchup=False,
    is_paused_upon_creation=True,
    tags=["documents", "daily", "elasticsearch"],
    doc_md=__doc__,
):
    index = DocumentIndexOperator(task_id="index", outlets=[DOCUMENT_TEXT])
    chunks = DocumentChunksOperator(task_id="chunks", outlets=[DOCUMENT_CHUNKS])
    index >> chunks
