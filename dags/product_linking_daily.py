"""# The day's products linked to keywords

Links the product file of each day into the served index, so that new products are found the same day.

**Input:** the file of the run's day (setting `daily_products`, `data/daily/products_YYYY-MM-DD.txt`). A day without a
file is skipped.
**Output:** documents added to or replaced in index `product_keywords`, searchable as each batch lands.

Runs every day at 06:00 Asia/Seoul once it is switched on, and reads the file of the day that it runs on. A backfill
links each day's own file; a document that a later run wrote is never replaced by an earlier day's. Its dates are in
UTC, where these runs fall on 21:00 of the day before: for the files of the 28th to the 30th give the 27th to the 30th.
A date too many is a day without a file.

**When it fails:** read the error in the log of the failed task, mend the cause, clear the task; finished shards are
not done again. For a day whose file came late, clear the skipped run.
"""

from __future__ import annotations

from datetime import timedelta

import pendulum
from airflow.sdk import DAG, CronTriggerTimetable

from include.linking.parameters import LinkingParameters
from include.settings import get_settings
from search_ops.assets import PRODUCT_LINKS
from search_ops.defaults import DEFAULT_ARGS, POOL_ELASTICSEARCH, POOL_TRITON
from search_ops.forms import form
from search_ops.operators.linking import LinkingPlanOperator, LinkingPublishOperator, LinkProductsOperator

with DAG(
    "product_linking_daily",
    schedule=CronTriggerTimetable("0 6 * * *", timezone="Asia/Seoul", interval=timedelta(days=1)),
    start_date=pendulum.datetime(2026, 1, 1, tz="Asia/Seoul"),
    params=form(LinkingParameters, mode="realtime", limit=0, products=get_settings().daily_products),
    default_args=DEFAULT_ARGS,
    max_active_runs=1,
    catchup=False,
    is_paused_upon_creation=True,
    tags=["products", "daily", "triton", "qdrant", "elasticsearch"],
    doc_md=__doc__,
):
    plan = LinkingPlanOperator(task_id="plan", dated=["products"], skip_without_input=True)
    build = plan.output["build"]
    link = LinkProductsOperator.partial(task_id="link", build=build, pool=POOL_TRITON).expand(number=plan.output)
    publish = LinkingPublishOperator(task_id="publish", build=build, pool=POOL_ELASTICSEARCH, outlets=[PRODUCT_LINKS])
    link >> publish
