"""# Temporary images deleted

Deletes images that somebody has searched with and that are more than `hours` (24) old: the object, then the row.

**Input:** the rows of type `query_temp` in the table `images`.
**Output:** these rows and their objects are gone. An object that another image uses as well stays.

Runs every hour once it is switched on, and by hand with the form.

**When it fails:** an object that could not be deleted keeps its row, so the next run tries it again; all others are
deleted. The error names the images and what the store said: mend that.
"""

from __future__ import annotations

import pendulum
from airflow.sdk import DAG, CronTriggerTimetable

from include.images.parameters import ImageCleanupParameters
from search_ops.defaults import DEFAULT_ARGS, POOL_MYSQL
from search_ops.forms import form
from search_ops.operators.images import ImageCleanupOperator

with DAG(
    "temporary_image_cleanup",
    schedule=CronTriggerTimetable("17 * * * *", timezone="Asia/Seoul"),
    start_date=pendulum.datetime(2026, 1, 1, tz="Asia/Seoul"),
    params=form(ImageCleanupParameters),
    default_args=DEFAULT_ARGS,
    max_active_runs=1,
    catchup=False,
    is_paused_upon_creation=True,
    tags=["images", "hourly", "mysql"],
    doc_md=__doc__,
):
    ImageCleanupOperator(task_id="clean_up", pool=POOL_MYSQL)
