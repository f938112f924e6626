"""Parameters of export and deployment."""

from __future__ import annotations

from typing import TypedDict

from pydantic import Field

from include import fields
from include.model_export.manifest import Precision
from include.parameters import Parameters
from include.settings import get_settings
from include.settings.values import TritonRuntime


class Form(TypedDict):
    """The form of an exported model."""

    precision: Precision
    fuse: bool


class ModelParameters(Parameters):
    """Which model, in which form."""

    model: str = fields.model()
    precision: Precision = Field(
        "fp32",
        title="Precision",
        description="Of the weights: fp16 halves the file, int8 also changes which results are nearest.",
    )
    fuse: bool = Field(
        default=False,
        title="Fuse operators",
        description="Attention and the like as one operator each; such a graph runs on ONNX Runtime alone.",
    )

    @property
    def form(self) -> Form:
        """In which form, as the export's keyword arguments."""
        return {"precision": self.precision, "fuse": self.fuse}


class ExportParameters(ModelParameters):
    """What to export."""

    force: bool = Field(
        default=False,
        title="Export again",
        description="Although it stands already: takes the newest commit of a source whose revision is a branch.",
    )


class DeployParameters(ModelParameters):
    """What to serve, and by what."""

    runtime: TritonRuntime = Field(
        default_factory=lambda: get_settings().triton_runtime,
        title="Runtime",
        description="What computes: auto chooses for this CPU, packed and tensorrt need a GPU. Other vectors each.",
    )


class CheckParameters(Parameters):
    """Which served model to look at."""

    model: str = fields.model()
    kserve_url: str = fields.kserve_url()
