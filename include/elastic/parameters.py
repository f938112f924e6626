"""Parameters of the dead-letter replay."""

from __future__ import annotations

from pydantic import Field

from include import fields
from include.parameters import Parameters


class ReplayParameters(Parameters):
    """Which dead letters, and where to."""

    run: str = Field(
        "",
        title="Run",
        description="Generation whose dead letters are sent again; empty takes those of all runs.",
        max_length=200,
    )
    dry_run: bool = Field(default=True, title="Only look", description="Count the dead letters, send nothing.")
    es_url: str = fields.es_url()
