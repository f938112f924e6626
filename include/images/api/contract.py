"""What is asked and what is answered, with an example of each."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field, model_validator

from include.images.parameters import MAX_TOP_K, TOP_K, AskedType, Edition, ImageType
from include.objects.locations import LONGEST

Address = Annotated[str, Field(min_length=1, max_length=LONGEST)]
Code = Annotated[str, Field(min_length=1, max_length=64)]
ResultsAs = Literal["none", "url", "base64"]


def _example(**values: Any) -> ConfigDict:
    return ConfigDict(extra="forbid", json_schema_extra={"examples": [values]})


class SearchOptions(BaseModel):
    """What a search is over and what comes back."""

    model_config = ConfigDict(extra="forbid")

    index_type: ImageType = Field("defect", description="Which index to search.")
    top_k: int = Field(TOP_K, ge=1, le=MAX_TOP_K, description="How many neighbours.")
    edition: Edition | None = Field(
        None, description="v2: the database's images; v1: those of a folder. Default: what USE_INDEX_V2 says."
    )
    result_images: ResultsAs = Field(
        "none", description="A heat map of what makes the first neighbour similar, and an overlay: as URLs, or Base64."
    )


class SimilarityRequest(SearchOptions):
    """A query image by its address; exactly one of both."""

    model_config = _example(path="/data/images/query.jpg", index_type="defect", top_k=5)

    path: Address | None = Field(None, description="Absolute path below an allowed folder of the server.")
    storage_url: Address | None = Field(None, description="s3:// or file:// URL below an allowed store.")

    @model_validator(mode="after")
    def _one_address(self) -> SimilarityRequest:
        if (self.path is None) == (self.storage_url is None):
            msg = "give either path or storage_url"
            raise ValueError(msg)
        return self

    @property
    def address(self) -> str:
        """Where the query image is."""
        return self.path or self.storage_url or ""


class FoundImage(BaseModel):
    """A neighbour: all of its metadata, further columns included."""

    model_config = ConfigDict(extra="allow")

    image_id: int
    local_path: str | None
    storage_url: str | None
    product_code: str
    product_name: str
    defect_code: str
    defect_name: str
    image_type: str
    similarity_score: float = Field(description="Cosine, 1 for the same picture.")
    version: str = Field(description="Of the index that it was found in.")


class ResultLinks(BaseModel):
    """Result images as PNG."""

    heat_map: str = Field(description="URL, or Base64 of the PNG.")
    overlay: str = Field(description="URL, or Base64 of the PNG.")


class SimilarityAnswer(BaseModel):
    """Neighbours, best first."""

    status: Literal["success"] = "success"
    query_image: str = Field(description="The address that was asked with, or the name of the upload.")
    index_type: ImageType
    edition: Edition
    version: str = Field(description="Of the index that was searched.")
    results: list[FoundImage]
    result_images: ResultLinks | None = None


class RebuildRequest(BaseModel):
    """Which indexes to build anew."""

    model_config = _example(index_type="defect")

    index_type: AskedType = "all"
    edition: Edition | None = Field(None, description="v2 or v1. Default: what searches are over, see USE_INDEX_V2.")
    allow_empty: bool = Field(default=False, description="Take an index away when no images of its type are left.")


class RebuildStarted(BaseModel):
    """A run of DAG image_index."""

    status: Literal["started"] = "started"
    task_id: str = Field(description="The run's id, to ask for its state with.")
    index_type: AskedType
    edition: Edition


class RebuildState(BaseModel):
    """How a rebuild is."""

    task_id: str
    status: str = Field(description="queued, running, success or failed.")
    started_at: datetime | None
    ended_at: datetime | None


class RegisterRequest(BaseModel):
    """An image to ask with, below one of the stores of temporary images, and kept for a day."""

    model_config = _example(
        storage_url="s3://images/queries/42.jpg",
        image_type="query_temp",
        product_code="P001",
        defect_code="scratch",
    )

    storage_url: Address
    image_type: Literal["query_temp"] = "query_temp"
    product_code: Code
    defect_code: Code | None = None


class Registered(BaseModel):
    """The row of a temporary image."""

    status: Literal["registered"] = "registered"
    image_id: int
    delete_after: datetime = Field(description="After this time, row and object are deleted.")


class PartHealth(BaseModel):
    """One thing that searches need."""

    status: Literal["ok", "unavailable"]
    message: str = ""


class IndexHealth(PartHealth):
    """A served index."""

    version: str | None = None
    images: int | None = None
    made_at: datetime | None = None


class Health(BaseModel):
    """Whether searches work, and whether anything behind them is down."""

    status: Literal["ok", "degraded", "unavailable"] = Field(
        description="degraded: searches go on over the last saved index while something is down."
    )
    edition: Edition
    database: PartHealth
    model: PartHealth
    indexes: dict[str, IndexHealth]


class Fault(BaseModel):
    """Why a request was refused."""

    code: str
    message: str
    request_id: str = Field(description="To be found in the server's log.")
    details: list[dict[str, Any]] | None = None


class Refusal(BaseModel):
    """The shape of every answer that is not a success."""

    error: Fault
