"""Tasks of the linking."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from search_ops.operators.build import PlanOperator, PublishOperator, ShardsOperator

LINKING = "include.linking.workflow"
SAMPLES, BEST = 5, 3


class LinkingPlanOperator(PlanOperator):
    """Fix the keyword generation and the model, cut the products into shards, create the index."""

    workflow = LINKING
    input_name = "products"


class LinkProductsOperator(ShardsOperator):
    """Link a range of shards: embed, search, bulk."""

    workflow = LINKING


class LinkingPublishOperator(PublishOperator):
    """Check the links and give the new index its name; the log ends with the run's figures and some links."""

    workflow = LINKING

    def execute(self, context: Mapping[str, Any]) -> dict[str, Any]:
        """Return the figures."""
        from include.errors import EmbsearchError  # noqa: PLC0415
        from include.linking.documents import sample_documents  # noqa: PLC0415 — a DAG file must parse quickly
        from include.sources.build import Build  # noqa: PLC0415

        summary = super().execute(context)
        written, wall = summary["counts"]["written"], summary["seconds"]["wall"]
        rate = written / max(wall, 0.01)
        told = "%d documents; %d products linked in %.1f s, %.1f products/s since the plan"
        self.log.info(told, summary["documents"], written, wall, rate)
        try:
            documents = sample_documents(Build.load(self.build), self.settings, SAMPLES)
        except (EmbsearchError, OSError) as error:  # it is served: what is only shown must not fail the run
            self.log.warning("No sample can be shown: %s", error)
            return summary
        for document in documents:
            best = ", ".join(f"{k['keyword']} ({k['score']:.3f})" for k in document.source["keywords"][:BEST])
            self.log.info("%.60s: %s", document.source["product_name"], best)
        return summary
