"""# Keywords as text

Indexes the keyword file as text in Elasticsearch and serves it as a new generation of the index.

**Input:** a text file with one keyword a line, or Parquet with `keyword` and, if it has ids, `keyword_id`.
**Output:** index `keywords`: `keyword` (text, sub-field `raw`) and `keyword_id` (integer).

Runs by hand, or when a new version of the installation's model is served, so that both keyword indexes come from the
same file; a run that another model's deployment caused is skipped.

**When it fails:** the generation served before goes on. Read the error in the log of the failed task, mend the cause,
clear the task. Documents that Elasticsearch refused are in the dead letters: see `dead_letter_replay`.
"""

from __future__ import annotations

from airflow.sdk import DAG

from include.keywords.parameters import TextIndexParameters
from search_ops.assets import KEYWORD_TEXT, SERVED_MODEL
from search_ops.defaults import DEFAULT_ARGS, POOL_ELASTICSEARCH
from search_ops.forms import form
from search_ops.operators.keywords import (
    KeywordTextIndexOperator,
    KeywordTextPlanOperator,
    KeywordTextPublishOperator,
)

with DAG(
    "keyword_text_index",
    schedule=[SERVED_MODEL],
    params=form(TextIndexParameters),
    default_args={**DEFAULT_ARGS, "pool": POOL_ELASTICSEARCH},
    max_active_runs=1,
    catchup=False,
    tags=["keywords", "elasticsearch"],
    doc_md=__doc__,
):
    plan = KeywordTextPlanOperator(task_id="plan", follows=["model"])
    build = plan.output["build"]
    index = KeywordTextIndexOperator.partial(task_id="index", build=build).expand(number=plan.output)
    publish = KeywordTextPublishOperator(task_id="publish", build=build, outlets=[KEYWORD_TEXT])
    index >> publish
