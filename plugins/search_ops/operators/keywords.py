"""Tasks of the two keyword workflows."""

from __future__ import annotations

from search_ops.operators.build import PlanOperator, PublishOperator, ShardsOperator

VECTORS = "include.keywords.vectors"
TEXT = "include.keywords.text"


class KeywordVectorsPlanOperator(PlanOperator):
    """Cut the keywords into shards and fix the model that embeds them."""

    workflow = VECTORS
    input_name = "input"


class KeywordVectorsEmbedOperator(ShardsOperator):
    """Embed a range of shards, taking over the vectors of unchanged keywords."""

    workflow = VECTORS


class KeywordVectorsPublishOperator(PublishOperator):
    """Load the vectors into a generation, check its recall, serve it."""

    workflow = VECTORS


class KeywordTextPlanOperator(PlanOperator):
    """Cut the keywords into shards and create the index to fill."""

    workflow = TEXT
    input_name = "input"


class KeywordTextIndexOperator(ShardsOperator):
    """Send a range of shards to Elasticsearch."""

    workflow = TEXT


class KeywordTextPublishOperator(PublishOperator):
    """Finalise the index, check it, serve it."""

    workflow = TEXT
