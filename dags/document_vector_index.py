"""# Documents as vectors

Embeds the chunk texts of a collection of documents with the served model and serves them as a generation of vectors.

**Input:** the chunk texts that `document_fulltext_index` writes, `chunk_number` and `content`, each text once.
**Output:** collection `documents_vectors`: point id = chunk number, payload = the text, cosine. A search finds texts
here and asks the index of the documents which of them are still there, and in which documents.

Runs by hand, when chunks have changed, or when a new model is served, then for every collection that has chunks. A run
makes the vectors of one collection; it starts a run for each of the others (`others`). Vectors of unchanged texts are
taken from the generation before. A new generation is served only when its count, norms and recall@30 against exact
search pass the gate. Until the first documents are indexed, a run is skipped.

**When it fails:** the generation served before goes on. Read the error in the log of the failed task: it names the
input and the remedy. Then clear the failed task; finished shards are not done again.
"""

from __future__ import annotations

from airflow.sdk import DAG

from include.fulltext.places import vector_defaults
from include.keywords.parameters import VectorIndexParameters
from search_ops.assets import DOCUMENT_CHUNKS, SERVED_MODEL
from search_ops.defaults import DEFAULT_ARGS, POOL_QDRANT, POOL_TRITON
from search_ops.forms import form
from search_ops.operators.document_vectors import DocumentVectorsDueOperator, DocumentVectorsRunOperator
from search_ops.operators.keywords import (
    KeywordVectorsEmbedOperator,
    KeywordVectorsPlanOperator,
    KeywordVectorsPublishOperator,
)

with DAG(
    "document_vector_index",
    schedule=(DOCUMENT_CHUNKS | SERVED_MODEL),
    params=form(VectorIndexParameters, **vector_defaults()),
    default_args=DEFAULT_ARGS,
    max_active_runs=1,
    catchup=False,
    tags=["documents", "qdrant", "triton"],
    doc_md=__doc__,
):
    due = DocumentVectorsDueOperator(task_id="due")
    others = DocumentVectorsRunOperator.partial(task_id="others", map_index_template="{{ task.documents }}")
    others.expand(documents=due.output)
    plan = KeywordVectorsPlanOperator(task_id="plan", given=due.output["own"], skip_without_input=True)
    build = plan.output["build"]
    embed = KeywordVectorsEmbedOperator.partial(task_id="embed", build=build, pool=POOL_TRITON).expand(
        number=plan.output
    )
    publish = KeywordVectorsPublishOperator(task_id="publish", build=build, pool=POOL_QDRANT)
    embed >> publish
