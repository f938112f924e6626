"""Parameters of the jobs over images."""

from __future__ import annotations

from typing import Any, Literal

from pydantic import Field

from include import fields
from include.parameters import Parameters
from include.settings import get_settings

ALL = "all"
NORMAL, DEFECT = "normal", "defect"
IMAGE_TYPES: tuple[ImageType, ...] = ("normal", "defect")  # each has an index of its own
EDITIONS: tuple[Edition, ...] = ("v1", "v2")
QUERY_TEMP = "query_temp"  # of images that somebody asks with; they are deleted after a day
TOP_K, MAX_TOP_K = 5, 100
TEMPORARY_HOURS = 24

ImageType = Literal["normal", "defect"]
AskedType = Literal["all", "normal", "defect"]
Edition = Literal["v1", "v2"]  # V1: by file names in a folder; V2: from the database


def _edition() -> Any:
    help_text = "v2: the images of the database. v1: files <product>_<defect>_*.jpg in the folder of images_v1_dir."
    return Field("v2", title="Edition", description=help_text)


class ImageIndexParameters(Parameters):
    """Which indexes to build, and with which model."""

    type: AskedType = Field("all", title="Index type", description="defect, normal, or all.")
    edition: Edition = _edition()
    model: str = Field(
        default_factory=lambda: get_settings().images_model,
        title="Model",
        description="Name in the catalogue, of a model of images: a–z, 0–9 and '_', first a letter or a digit.",
        pattern="^[a-z0-9][a-z0-9_]*$",
        max_length=100,
    )
    kserve_url: str = fields.kserve_url()
    min_share: float = fields.min_share()
    force: bool = Field(
        default=False,
        title="Force",
        description="Embed every image anew and make a version even when nothing has changed.",
    )
    allow_empty: bool = Field(
        default=False,
        title="Allow empty",
        description="Take the index of a type away when no images of it are left; else that is refused.",
    )


class ImageSearchParameters(Parameters):
    """Which index to search, and what to show."""

    type: ImageType = Field("defect", title="Index type", description="defect or normal.")
    top_k: int = Field(TOP_K, title="Neighbours", description="How many to show.", ge=1, le=MAX_TOP_K)
    edition: Edition = _edition()
    sheet: str = Field("", title="Sheet", description="File for a picture of the query and its neighbours.")


class ImageCompareParameters(Parameters):
    """How V1 and V2 are compared."""

    type: ImageType = Field("defect", title="Index type", description="defect or normal.")
    queries: int = Field(50, title="Queries", description="Images of V2 to ask both with.", ge=1, le=10_000)
    top_k: int = Field(TOP_K, title="Neighbours", description="How many to compare.", ge=1, le=MAX_TOP_K)


class ImageCleanupParameters(Parameters):
    """Which temporary images to delete."""

    hours: int = Field(
        TEMPORARY_HOURS,
        title="Age",
        description="Hours after which a temporary image is deleted.",
        ge=1,
        le=24 * 365,
    )


def asked_types(asked: AskedType) -> list[ImageType]:
    """The index types that ``asked`` means."""
    return ["normal", "defect"] if asked == "all" else [asked]
