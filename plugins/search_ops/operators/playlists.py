"""The task of the playlist cache."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from include.playlists.parameters import PlaylistCacheParameters
from search_ops.operators.build import SearchOperator
from search_ops.run_context import parameters_of, run_of, tell


class PlaylistCacheOperator(SearchOperator):
    """Write the playlist sets anew, all in one transaction; the figures go with the asset event."""

    def execute(self, context: Mapping[str, Any]) -> dict[str, Any]:
        """Return the figures."""
        from include.playlists.workflow import cache_playlists  # noqa: PLC0415 — a DAG file must parse quickly

        parameters = parameters_of(context, PlaylistCacheParameters, settings=self.settings)
        summary = cache_playlists(parameters, run_of(context), self.settings)
        tell(context, self.outlets, summary)
        return summary
