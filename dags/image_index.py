"""# The image indexes

Embeds the images of the database and serves an index of each type, `normal` and `defect`, with its metadata.

**Input:** the tables `images`, `products`, `defect_types`; the files and objects that they name; the served model.
**Output:** a new version of each index in `<state>/images/<type>`: `index.faiss`, `embeddings.npy`, `metadata.json`,
served as one. Servers follow it within seconds, with no restart.

Runs every day at 03:30 Asia/Seoul once it is switched on, by hand with the form, by `POST /index/rebuild`, and when a
new version of its model is served; of another model's, all tasks are skipped. Embeddings of unchanged images are used
again; when nothing has changed nothing new is served, and a type that has no images is passed over. Images whose file
is missing or broken are counted, and listed in `missing_images.jsonl` beside the versions.

**When it fails:** the versions served before go on. The last task names the types that failed; read the logs of their
tasks, mend the cause, clear them. What was embedded until then is not embedded again. Too many images without a usable
file are refused: mend their files, or set `EMBSEARCH_IMAGES_MISSING_SHARE`. A type that has no images any more while
an index of it is served is refused, too: fill the table, or run it with `allow_empty`, which takes that index away.
"""

from __future__ import annotations

import pendulum
from airflow.sdk import DAG, AssetOrTimeSchedule, CronTriggerTimetable

from include.images.parameters import ImageIndexParameters
from search_ops.assets import IMAGE_INDEX, SERVED_MODEL
from search_ops.defaults import DEFAULT_ARGS, POOL_TRITON
from search_ops.forms import form
from search_ops.operators.images import ImageBuildOperator, ImageTypesOperator
from search_ops.operators.index_types import NAME, IndexAnnounceOperator, IndexReportOperator

with DAG(
    "image_index",
    schedule=AssetOrTimeSchedule(
        timetable=CronTriggerTimetable("30 3 * * *", timezone="Asia/Seoul"), assets=[SERVED_MODEL]
    ),
    start_date=pendulum.datetime(2026, 1, 1, tz="Asia/Seoul"),
    params=form(ImageIndexParameters),
    default_args=DEFAULT_ARGS,
    max_active_runs=1,
    catchup=False,
    is_paused_upon_creation=True,
    tags=["images", "daily", "faiss", "triton", "mysql"],
    doc_md=__doc__,
):
    types = ImageTypesOperator(task_id="types")
    tasks = ImageBuildOperator.partial(task_id="build", pool=POOL_TRITON, map_index_template=NAME)
    build = tasks.expand(type_name=types.output)
    IndexAnnounceOperator(task_id="announce", results=build.output, outlets=[IMAGE_INDEX])
    IndexReportOperator(task_id="report", names=types.output, results=build.output)
