"""The task that measures the search of documents."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from include.fulltext.parameters import SearchQualityParameters
from search_ops.operators.build import SearchOperator
from search_ops.run_context import parameters_of, run_of, tell


class SearchQualityOperator(SearchOperator):
    """Measure the search by a relevance set; the figures go with the asset event. Fails when they have dropped."""

    def execute(self, context: Mapping[str, Any]) -> dict[str, Any]:
        """Return the figures."""
        from include.fulltext.evaluation import evaluate  # noqa: PLC0415 — a DAG file must parse quickly

        parameters = parameters_of(context, SearchQualityParameters, settings=self.settings)
        summary = evaluate(parameters, run_of(context), self.settings)
        tell(context, self.outlets, summary)
        return summary
