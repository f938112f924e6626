"""Credentials from Airflow connections, over what the environment says."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from typing import Any

from airflow.sdk import BaseHook, Connection
from airflow.sdk.exceptions import AirflowNotFoundException
from pydantic import SecretStr, ValidationError

from include.errors import InputError
from include.settings import LOGINS, PREFIX, Settings, get_settings

ELASTICSEARCH_CONNECTION = "elasticsearch_default"
QDRANT_CONNECTION = "qdrant_default"
MYSQL_CONNECTION = "mysql_default"
BACKUP_MYSQL_CONNECTION = "mysql_backup"
IMAGES_MYSQL_CONNECTION = "mysql_images"
IMAGES_STORE_CONNECTION = "images_store"
REDIS_CONNECTION = "redis_default"

SERVER_LOGINS = {
    **LOGINS,
    "qdrant_url": ("qdrant_api_key",),
    "images_s3_endpoint": ("images_s3_key", "images_s3_secret"),
}


def settings_with_connections() -> Settings:
    """This process's settings with the hosts and secrets of the connections that exist.

    Raises:
        InputError: a connection cannot be used; the message names it and its field, and shows no value.
    """
    told = {name: settings_of(found) for name, settings_of in _READERS.items() if (found := _connection(name))}
    changes = {field: value for settings in told.values() for field, value in settings.items()}
    try:
        return Settings(**{**get_settings().model_dump(), **changes})
    except ValidationError as error:  # it holds the values, a login in a host among them
        refusals = [_refusal(found, told) for found in error.errors(include_url=False, include_input=False)]
        raise InputError("\n".join(refusals)) from None


def _refusal(found: Any, told: Mapping[str, Mapping[str, Any]]) -> str:
    """The connection and the field of it that one of pydantic's errors is about."""
    setting = str(found["loc"][0])
    name = next((name for name, settings in told.items() if setting in settings), None)
    field = "host" if setting.endswith("_url") else "extra"
    where = f"{PREFIX}{setting.upper()}" if name is None else f"Airflow connection {name}: its {field}, for {setting},"
    return f"{where} cannot be used: {found['msg'].removeprefix('Value error, ')}. Correct it and run the task again."


def elasticsearch_settings(connection: Connection) -> dict[str, Any]:
    """Login or API key and TLS of an ``elasticsearch`` connection; extra: api_key, ca_certs, ssl_assert_fingerprint."""
    extra = _extra(connection)
    given = _with_login(
        "es_url",
        _url(connection),
        es_user=connection.login,
        es_password=_secret(connection.password),
        es_api_key=_secret(extra.get("api_key")),
        es_ca_certs=extra.get("ca_certs"),
        es_ssl_fingerprint=extra.get("ssl_assert_fingerprint"),
    )
    if given.get("es_api_key"):  # one way to log in takes the place of the other
        return {"es_user": None, "es_password": None, **given}
    return {"es_api_key": None, **given} if given.get("es_password") else given


def qdrant_settings(connection: Connection) -> dict[str, Any]:
    """URL and API key (the password) of a connection to a Qdrant server."""
    return _with_login("qdrant_url", _url(connection), qdrant_api_key=_secret(connection.password))


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
    extra = _extra(connection)
    region = {"images_s3_region": extra["region_name"]} if extra.get("region_name") else {}
    login = {"images_s3_key": _secret(connection.login), "images_s3_secret": _secret(connection.password)}
    return _with_login("images_s3_endpoint", extra.get("endpoint_url"), **login) | region


def redis_settings(connection: Connection) -> dict[str, Any]:
    """Host, port, login of a ``redis`` connection; extra: ``db``, ``ssl``, ``ssl_ca_certs``."""
    extra = _extra(connection)
    scheme = "rediss" if str(extra.get("ssl", "")).lower() in {"true", "1"} else "redis"
    url = f"{scheme}://{connection.host}:{connection.port or 6379}/{extra.get('db') or 0}"
    return _with_login(
        "redis_url",
        url if connection.host else None,
        redis_user=connection.login,
        redis_password=_secret(connection.password),
        redis_ca_certs=extra.get("ssl_ca_certs"),
    )


def _of_mysql(connection: Connection, prefix: str) -> dict[str, Any]:
    database = connection.schema or Settings.model_fields[f"{prefix}_url"].default.rpartition("/")[2]
    url = f"mysql://{connection.host}:{connection.port or 3306}/{database}"
    login = {
        f"{prefix}_user": connection.login,
        f"{prefix}_password": _secret(connection.password),
        f"{prefix}_ca_certs": _extra(connection).get("ssl_ca"),
    }
    return _with_login(f"{prefix}_url", url if connection.host else None, **login)


def _with_login(url_name: str, url: str | None, **login: Any) -> dict[str, Any]:
    """A server and its login; a server brings its own login or none, so that no server gets that of another."""
    given = {name: value for name, value in login.items() if value}
    return {url_name: url, **dict.fromkeys(SERVER_LOGINS[url_name]), **given} if url else given


def _extra(connection: Connection) -> dict[str, Any]:
    """What else the connection says; Airflow itself takes what is no JSON for nothing, which would lose a login.

    Raises:
        InputError: it is no JSON object.
    """
    try:
        readable = isinstance(json.loads(connection.extra or "{}"), dict)
    except ValueError:
        readable = False
    if not readable:
        msg = (
            f"Airflow connection {connection.conn_id}: its extra is no JSON object. Correct it and run the task again."
        )
        raise InputError(msg)
    found: dict[str, Any] = connection.extra_dejson  # masks its secrets in logs, too
    return found


def _secret(text: str | None) -> SecretStr | None:
    return SecretStr(text) if text else None


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
