"""# Keywords as vectors

Embeds the keyword file with the served model and serves it as a new generation of the vector collection.

**Input:** a text file with one keyword a line, or Parquet with `keyword` and, if it has ids, `keyword_id`.
**Output:** collection `keywords`: point id = keyword id, payload `{"keyword": …}`, cosine.

Runs by hand, or when a new version of its model is served; a run that another model's deployment caused is skipped.
Vectors of unchanged keywords are taken from the generation before. A new generation is served only when its count,
norms and recall@30 against exact search pass the gate.

**When it fails:** the generation served before goes on. Read the error in the log of the failed task: it names the
input and the remedy. Then clear the failed task; finished shards are not done again.
"""

from __future__ import annotations

from airflow.sdk import DAG

from include.keywords.parameters import VectorIndexParameters
from search_ops.assets import KEYWORD_VECTORS, SERVED_MODEL
from search_ops.defaults import DEFAULT_ARGS, POOL_QDRANT, POOL_TRITON
from search_ops.forms import form
from search_ops.operators.keywords import (
    KeywordVectorsEmbedOperator,
    KeywordVectorsPlanOperator,
    KeywordVectorsPublishOperator,
)

with DAG(
    "keyword_vector_index",
    schedule=[SERVED_MODEL],
    params=form(VectorIndexParameters),
    default_args=DEFAULT_ARGS,
    max_active_runs=1,
    catchup=False,
    tags=["keywords", "qdrant", "triton"],
    doc_md=__doc__,
):
    plan = KeywordVectorsPlanOperator(task_id="plan", follows=["model"])
    build = plan.output["build"]
    embed = KeywordVectorsEmbedOperator.partial(task_id="embed", build=build, pool=POOL_TRITON).expand(
        number=plan.output
    )
    publish = KeywordVectorsPublishOperator(task_id="publish", build=build, pool=POOL_QDRANT, outlets=[KEYWORD_VECTORS])
    embed >> publish
