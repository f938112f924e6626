"""Parameters of a roll back."""

from __future__ import annotations

from pydantic import Field

from include import fields
from include.parameters import Parameters


class RollbackParameters(Parameters):
    """Which model, and to which version."""

    model: str = fields.model()
    version: int = Field(
        0,
        title="Version",
        description="Any version that is kept; 0 takes the one that was served before the present one.",
        ge=0,
        le=10**9,
    )
