"""Image similarity: docs/images.md and docs/image-search.md."""

from __future__ import annotations

import os
from typing import Annotated

from pydantic import Field, SecretStr

from include.errors import InputError
from include.settings.values import PROJECT_ROOT, AbsolutePath, Urls

SAID = {  # as of every other setting that is true or false
    **dict.fromkeys(("1", "true", "t", "yes", "y", "on"), True),
    **dict.fromkeys(("0", "false", "f", "no", "n", "off"), False),
}
IMAGE_COLUMN = "(upload_date|file_size|resolution|preprocessing_config)"


def documented_edition() -> bool | None:
    """Whether the documented variable ``USE_INDEX_V2`` says V2; ``None``: it is not set.

    Raises:
        InputError: it says neither true nor false.
    """
    told = os.environ.get("USE_INDEX_V2")
    if told is None:
        return None
    try:
        return SAID[told.strip().lower()]
    except KeyError:
        raise InputError(f"USE_INDEX_V2={told} cannot be used: give true or false.") from None


class Images:
    """What may be read, how much of it, and who may ask."""

    images_model: str = "clip_image"
    images_roots: str = "data/images"  # folders by commas: no local file outside of them is read
    images_stores: str = ""  # beginnings of s3:// or file:// URLs by commas: nothing else is fetched or written
    images_result_store: str = ""  # where result images go, such as s3://images/results; below one of the stores
    # Where images lie that may be registered as temporary ones, so deleted after a day; below the above, by commas.
    images_temporary_stores: str = ""
    images_s3_endpoint: Urls = ""  # empty: AWS
    images_s3_key: SecretStr | None = None
    images_s3_secret: SecretStr | None = None
    images_s3_region: str = "us-east-1"
    images_s3_connect_seconds: Annotated[float, Field(gt=0, le=600)] = 5.0
    images_s3_read_seconds: Annotated[float, Field(gt=0, le=600)] = 30.0
    images_s3_retries: Annotated[int, Field(ge=0, le=20)] = 3
    images_s3_total_seconds: Annotated[float, Field(gt=0, le=3600)] = 120.0  # for one object, however it trickles
    images_max_bytes: Annotated[int, Field(ge=1_000, le=1 << 30)] = 20_000_000  # of one encoded image
    images_max_pixels: Annotated[int, Field(ge=1_000, le=100_000_000)] = 50_000_000  # of one decoded image
    # Further columns in metadata.json, by commas: upload_date, file_size, resolution, preprocessing_config.
    images_metadata_columns: Annotated[str, Field(pattern=f"^({IMAGE_COLUMN}(,{IMAGE_COLUMN})*)?$")] = ""
    images_missing_share: Annotated[float, Field(ge=0, le=1)] = 0.05  # of images without a usable file; more is refused
    images_readers: Annotated[int, Field(ge=1, le=256)] = 16  # files or objects read at once by a build
    images_page_rows: Annotated[int, Field(ge=1, le=100_000)] = 2000  # of the database, in one query
    images_rebuild_at_start: bool = False  # whether the server causes a rebuild when it starts
    images_v1_dir: AbsolutePath = PROJECT_ROOT / "data" / "images"  # V1 indexes its files <product>_<defect>_*.jpg
    images_token: SecretStr | None = None  # bearer token of `embsearch images serve`
    images_requests_per_minute: Annotated[int, Field(ge=1, le=1_000_000)] = 600  # of one caller; more are refused
    images_body_seconds: Annotated[float, Field(gt=0, le=3600)] = 30.0  # in which a request's body must have come
    # Airflow for `embsearch images serve`, where rebuilds run; empty: that of the local stack.
    images_airflow_url: Urls = ""
    images_airflow_user: str | None = None
    images_airflow_password: SecretStr | None = None
    # Which index answers where a request does not say; the documented variable USE_INDEX_V2 counts, too. The local
    # stack's default is V2.
    use_index_v2: bool = Field(default_factory=lambda: bool(documented_edition()))
