"""Parameters of the two keyword workflows."""

from __future__ import annotations

from typing import Annotated

from pydantic import Field

from include.parameters import Parameters
from include.settings import get_settings

InputPath = Annotated[
    str,
    Field(
        title="Keyword file",
        description="Text with one keyword a line, or Parquet. A relative path starts at the project's root.",
        min_length=1,
        max_length=1000,
    ),
]
Limit = Annotated[
    int, Field(title="Limit", description="Take the first so many keywords; 0 takes all.", ge=0, le=1_000_000_000)
]
TextColumn = Annotated[
    str, Field(title="Text column", description="Column with the keyword, for Parquet.", min_length=1, max_length=200)
]
IdColumn = Annotated[
    str,
    Field(title="Id column", description="Column with the id, for Parquet that has it.", min_length=1, max_length=200),
]
ServerUrl = Annotated[str, Field(min_length=1, max_length=1000)]
Alias = Annotated[str, Field(min_length=1, max_length=100, pattern="^[a-z0-9][a-z0-9_-]*$")]


class VectorIndexParameters(Parameters):
    """Keywords as vectors."""

    input: InputPath = Field(default_factory=lambda: get_settings().keywords)
    limit: Limit = 0
    batch_size: int = Field(64, title="Batch size", description="Keywords in one embedding request.", ge=1, le=1024)
    workers: int = Field(8, title="Workers", description="Embedding requests in flight.", ge=1, le=64)
    model: str = Field(
        default_factory=lambda: get_settings().model,
        title="Model",
        description="Name in the catalogue of a model that Triton serves.",
        min_length=1,
        max_length=100,
    )
    collection: Alias = Field(
        default_factory=lambda: get_settings().collection, title="Collection", description="Name that readers use."
    )
    qdrant_url: ServerUrl = Field(
        default_factory=lambda: get_settings().qdrant_url,
        title="Qdrant URL",
        description="A server, or edge:<folder> for the engine in process.",
    )
    kserve_url: ServerUrl = Field(
        default_factory=lambda: get_settings().kserve_url, title="Triton URL", description="Several by commas."
    )
    min_recall: float = Field(
        0.98, title="Recall floor", description="recall@30 against exact search, below which nothing is promoted.",
        ge=0, le=1,
    )  # fmt: skip
    text_column: TextColumn = "keyword"
    id_column: IdColumn = "keyword_id"


class TextIndexParameters(Parameters):
    """Keywords as text."""

    input: InputPath = Field(default_factory=lambda: get_settings().keywords)
    limit: Limit = 0
    index: Alias = Field(
        default_factory=lambda: get_settings().keyword_index, title="Index", description="Name that readers use."
    )
    es_url: ServerUrl = Field(
        default_factory=lambda: get_settings().es_url, title="Elasticsearch URL", description="Several by commas."
    )
    workers: int = Field(2, title="Workers", description="Bulk requests in flight.", ge=1, le=16)
    text_column: TextColumn = "keyword"
    id_column: IdColumn = "keyword_id"
