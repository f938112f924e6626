"""Credentials from Airflow connections, over what the environment says."""

from __future__ import annotations

from typing import Any

from airflow.sdk import BaseHook, Connection
from airflow.sdk.exceptions import AirflowNotFoundException
from pydantic import SecretStr

from include.settings import Settings, get_settings

ELASTICSEARCH_CONNECTION = "elasticsearch_default"
QDRANT_CONNECTION = "qdrant_default"


def settings_with_connections() -> Settings:
    """This process's settings with the hosts and secrets of the connections that exist."""
    settings = get_settings()
    changes: dict[str, Any] = {}
    if connection := _connection(ELASTICSEARCH_CONNECTION):
        changes |= elasticsearch_settings(connection)
    if connection := _connection(QDRANT_CONNECTION):
        changes |= qdrant_settings(connection)
    return Settings(**{**settings.model_dump(), **changes})


def elasticsearch_settings(connection: Connection) -> dict[str, Any]:
    """Login or API key and TLS of an ``elasticsearch`` connection; extra: api_key, ca_certs, ssl_assert_fingerprint."""
    extra = connection.extra_dejson
    return _given(
        es_url=_url(connection),
        es_user=connection.login,
        es_password=connection.password and SecretStr(connection.password),
        es_api_key=extra.get("api_key") and SecretStr(extra["api_key"]),
        es_ca_certs=extra.get("ca_certs"),
        es_ssl_fingerprint=extra.get("ssl_assert_fingerprint"),
    )


def qdrant_settings(connection: Connection) -> dict[str, Any]:
    """URL and API key (the password) of a connection to a Qdrant server."""
    key = connection.password and SecretStr(connection.password)
    return _given(qdrant_url=_url(connection), qdrant_api_key=key)


def _connection(name: str) -> Connection | None:
    try:
        return BaseHook.get_connection(name)
    except AirflowNotFoundException:
        return None


def _url(connection: Connection) -> str | None:
    if not connection.host:
        return None
    port = f":{connection.port}" if connection.port else ""
    scheme = connection.schema or "http"
    return ",".join(f"{scheme}://{host.strip()}{port}" for host in connection.host.split(","))


def _given(**values: Any) -> dict[str, Any]:
    return {name: value for name, value in values.items() if value}
