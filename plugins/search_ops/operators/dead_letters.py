"""The task that sends dead letters again."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from include.elastic.parameters import ReplayParameters
from search_ops.operators.build import SearchOperator
from search_ops.run_context import parameters_of


class DeadLetterReplayOperator(SearchOperator):
    """Send dead letters again, or only count them."""

    def execute(self, context: Mapping[str, Any]) -> dict[str, Any]:
        """Return what is there and what became of it."""
        from include.elastic.replay import replay_dead_letters  # noqa: PLC0415 — a DAG file must parse quickly

        return replay_dead_letters(parameters_of(context, ReplayParameters, settings=self.settings), self.settings)
