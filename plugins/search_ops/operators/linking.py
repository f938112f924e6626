"""Tasks of the linking."""

from __future__ import annotations

from search_ops.operators.build import PlanOperator, PublishOperator, ShardsOperator

LINKING = "include.linking.workflow"


class LinkingPlanOperator(PlanOperator):
    """Fix the keyword generation and the model, cut the products into shards, create the index."""

    workflow = LINKING
    input_name = "products"


class LinkProductsOperator(ShardsOperator):
    """Link a range of shards: embed, search, bulk."""

    workflow = LINKING


class LinkingPublishOperator(PublishOperator):
    """Check the links and give the new index its name."""

    workflow = LINKING
