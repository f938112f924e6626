"""Parameters of export and deployment."""

from __future__ import annotations

from include import fields
from include.parameters import Parameters


class ModelParameters(Parameters):
    """Which model."""

    model: str = fields.model()


class CheckParameters(Parameters):
    """Which served model to look at."""

    model: str = fields.model()
    kserve_url: str = fields.kserve_url()
