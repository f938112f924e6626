"""Parameters of the linking, with the documented names and defaults."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field

from include.parameters import Parameters
from include.settings import get_settings

Alias = Annotated[str, Field(min_length=1, max_length=100, pattern="^[a-z0-9][a-z0-9_-]*$")]
Url = Annotated[str, Field(min_length=1, max_length=1000)]


class LinkingParameters(Parameters):
    """What to link, to which keywords, into which index, and how."""

    products: str = Field(
        default_factory=lambda: get_settings().products,
        title="Product file",
        description="Text with one product name a line, or Parquet. A relative path starts at the project's root.",
        min_length=1,
        max_length=1000,
    )
    limit: int = Field(
        100_000, title="Limit", description="Link the first so many products; 0 links all.", ge=0, le=1_000_000_000
    )
    top_k: int = Field(30, title="Keywords a product", description="Nearest keywords to keep.", ge=1, le=1000)
    batch_size: int = Field(64, title="Batch size", description="Products in one batch.", ge=1, le=1024)
    workers: int = Field(4, title="Workers", description="Batches in flight in one task.", ge=1, le=64)
    mode: Literal["bulk", "realtime"] = Field(
        "bulk",
        title="Mode",
        description="bulk builds a new index beside the served one and switches when it is checked; "
        "realtime writes into the served index, and each batch is searchable as it lands.",
    )
    kserve_url: Url = Field(
        default_factory=lambda: get_settings().kserve_url, title="Triton URL", description="Several by commas."
    )
    qdrant_url: Url = Field(
        default_factory=lambda: get_settings().qdrant_url,
        title="Qdrant URL",
        description="A server, or edge:<folder> for the engine in process.",
    )
    es_url: Url = Field(
        default_factory=lambda: get_settings().es_url, title="Elasticsearch URL", description="Several by commas."
    )
    model: str = Field(
        default_factory=lambda: get_settings().model,
        title="Model",
        description="Name in the catalogue of a model that Triton serves; it must be the collection's own.",
        min_length=1,
        max_length=100,
    )
    collection: Alias = Field(
        default_factory=lambda: get_settings().collection, title="Collection", description="Keyword vectors to search."
    )
    index: Alias = Field(
        default_factory=lambda: get_settings().link_index, title="Index", description="Name that readers use."
    )
    text_column: str = Field(
        "product_name",
        title="Text column",
        description="Column with the name, for Parquet.",
        min_length=1,
        max_length=200,
    )
