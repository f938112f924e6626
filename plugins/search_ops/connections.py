"""Credentials from Airflow connections, over what the environment says."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from airflow.sdk import BaseHook, Connection
from airflow.sdk.exceptions import AirflowNotFoundException
from pydantic import SecretStr

from include.settings import Settings, get_settings

ELASTICSEARCH_CONNECTION = "elasticsearch_default"
QDRANT_CONNECTION = "qdrant_default"
MYSQL_CONNECTION = "mysql_default"
BACKUP_MYSQL_CONNECTION = "mysql_backup"
IMAGES_MYSQL_CONNECTION = "mysql_images"
IMAGES_STORE_CONNECTION = "images_store"
REDIS_CONNECTION = "redis_default"


def settings_with_connections() -> Settings:
    """This process's settings with the hosts and secrets of the connections that exist."""
    settings = get_settings()
    changes: dict[str, Any] = {}
    for name, settings_of in _READERS.items():
        if connection := _connection(name):
            changes |= settings_of(connection)
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


def mysql_settings(connection: Connection) -> dict[str, Any]:
    """Host, port, database (the schema), login of a ``mysql`` connection; extra ``ssl_ca``: a file of certificates."""
    return _of_mysql(connection, "mysql")


def backup_mysql_settings(connection: Connection) -> dict[str, Any]:
    """The same of the MySQL that holds the programmes' songs."""
    return _of_mysql(connection, "backup_mysql")


def images_mysql_settings(connection: Connection) -> dict[str, Any]:
    """The same of the MySQL that holds the images."""
    return _of_mysql(connection, "images_mysql")


def images_store_settings(connection: Connection) -> dict[str, Any]:
    """Key (login) and secret (password) of an ``aws`` connection; extra: ``endpoint_url``, ``region_name``."""
    extra = connection.extra_dejson
    return _given(
        images_s3_key=connection.login and SecretStr(connection.login),
        images_s3_secret=connection.password and SecretStr(connection.password),
        images_s3_endpoint=extra.get("endpoint_url"),
        images_s3_region=extra.get("region_name"),
    )


def redis_settings(connection: Connection) -> dict[str, Any]:
    """Host, port, login of a ``redis`` connection; extra: ``db``, ``ssl``, ``ssl_ca_certs``."""
    extra = connection.extra_dejson
    scheme = "rediss" if str(extra.get("ssl", "")).lower() in {"true", "1"} else "redis"
    return _with_login(
        connection,
        "redis",
        url=f"{scheme}://{connection.host}:{connection.port or 6379}/{extra.get('db') or 0}",
        ca_certs=extra.get("ssl_ca_certs"),
    )


def _of_mysql(connection: Connection, prefix: str) -> dict[str, Any]:
    database = connection.schema or Settings.model_fields[f"{prefix}_url"].default.rpartition("/")[2]
    return _with_login(
        connection,
        prefix,
        url=f"mysql://{connection.host}:{connection.port or 3306}/{database}",
        ca_certs=connection.extra_dejson.get("ssl_ca"),
    )


def _with_login(connection: Connection, prefix: str, *, url: str, ca_certs: str | None) -> dict[str, Any]:
    """A server and its login; a host brings its own login or none, so that no server gets that of another."""
    password = connection.password and SecretStr(connection.password)
    login = {f"{prefix}_user": connection.login, f"{prefix}_password": password, f"{prefix}_ca_certs": ca_certs}
    return {f"{prefix}_url": url, **login} if connection.host else _given(**login)


_READERS: dict[str, Callable[[Connection], dict[str, Any]]] = {
    ELASTICSEARCH_CONNECTION: elasticsearch_settings,
    QDRANT_CONNECTION: qdrant_settings,
    MYSQL_CONNECTION: mysql_settings,
    BACKUP_MYSQL_CONNECTION: backup_mysql_settings,
    IMAGES_MYSQL_CONNECTION: images_mysql_settings,
    IMAGES_STORE_CONNECTION: images_store_settings,
    REDIS_CONNECTION: redis_settings,
}


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
