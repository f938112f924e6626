"""# Products linked to keywords

For each product: embed its name, take its nearest keywords, write one document.

**Input:** a text file with one product name a line, or Parquet with `product_name`; the collection `keywords`.
**Output:** index `product_keywords`: `product_name` and `keywords` (nested: `keyword`, `keyword_id`, `score`), best
first.

Runs by hand with the form, or when new keyword vectors are served. Mode `bulk` builds a new index beside the served one
and gives it the name when it is checked. Products that are served but not in the file, such as those that only daily
files brought, leave with the old index, unless `keep_others` is on: they are then linked anew and kept, as in every run
that new keyword vectors caused. `realtime` writes into the served index, with the keywords that its links lead to. An
event about another model, collection or server than this installation keeps fresh is skipped.

**When it fails:** the index served before goes on. Read the error in the log of the failed task, mend the cause,
clear the task; finished shards are not done again.
"""

from __future__ import annotations

from airflow.sdk import DAG

from include.linking.parameters import LinkingParameters
from search_ops.assets import KEYWORD_VECTORS, PRODUCT_LINKS
from search_ops.defaults import DEFAULT_ARGS, POOL_ELASTICSEARCH, POOL_TRITON
from search_ops.forms import form
from search_ops.operators.linking import LinkingPlanOperator, LinkingPublishOperator, LinkProductsOperator

with DAG(
    "product_linking",
    schedule=[KEYWORD_VECTORS],
    params=form(LinkingParameters),
    default_args=DEFAULT_ARGS,
    max_active_runs=1,
    catchup=False,
    tags=["products", "triton", "qdrant", "elasticsearch"],
    doc_md=__doc__,
):
    plan = LinkingPlanOperator(task_id="plan", follows=["model", "collection", "qdrant_url"])
    build = plan.output["build"]
    link = LinkProductsOperator.partial(task_id="link", build=build, pool=POOL_TRITON).expand(number=plan.output)
    publish = LinkingPublishOperator(task_id="publish", build=build, pool=POOL_ELASTICSEARCH, outlets=[PRODUCT_LINKS])
    link >> publish
