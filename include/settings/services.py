"""Servers: their URLs, logins and certificates."""

from __future__ import annotations

from typing import Annotated

from pydantic import Field, SecretStr

from include.settings.values import AbsolutePath, TritonRuntime, Urls


class Services:
    """Several hosts are separated by commas."""

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
