"""What Airflow connections say about servers, and that no server gets the login of another."""

from __future__ import annotations

import json
import traceback
from typing import Any

import pytest
from airflow.sdk import Connection

from include.elastic.connection import EsConnection
from include.errors import InputError
from include.settings import Settings
from search_ops.connections import (
    _READERS,
    SERVER_LOGINS,
    backup_mysql_settings,
    elasticsearch_settings,
    images_mysql_settings,
    images_store_settings,
    mysql_settings,
    qdrant_settings,
    redis_settings,
    settings_with_connections,
)

pytestmark = pytest.mark.usefixtures("bare_settings")


def test_a_connection_to_mysql_names_server_database_login_and_certificates() -> None:
    extra = json.dumps({"ssl_ca": "/etc/ca.pem"})
    connection = Connection(
        conn_id="mysql_default",
        conn_type="mysql",
        host="db",
        port=3307,
        schema="tunes",
        login="me",
        password="pw",
        extra=extra,
    )
    found = Settings(**mysql_settings(connection))
    assert (found.mysql_url, found.mysql_user, str(found.mysql_ca_certs)) == (
        "mysql://db:3307/tunes",
        "me",
        "/etc/ca.pem",
    )
    assert found.mysql_password is not None
    assert found.mysql_password.get_secret_value() == "pw"


def test_port_and_database_are_the_documented_ones_where_they_are_left_out() -> None:
    found = Settings(**backup_mysql_settings(Connection(conn_id="mysql_backup", conn_type="mysql", host="db")))
    assert found.backup_mysql_url == "mysql://db:3306/music_backup"


KINDS = {
    "es_url": (elasticsearch_settings, {"host": "staging", "port": 9200}),
    "qdrant_url": (qdrant_settings, {"host": "staging", "port": 6333}),
    "mysql_url": (mysql_settings, {"host": "staging"}),
    "backup_mysql_url": (backup_mysql_settings, {"host": "staging"}),
    "images_mysql_url": (images_mysql_settings, {"host": "staging"}),
    "images_s3_endpoint": (images_store_settings, {"extra": '{"endpoint_url": "http://staging:9000"}'}),
    "redis_url": (redis_settings, {"host": "staging"}),
}


def test_every_server_with_a_login_is_looked_at_below() -> None:
    assert KINDS.keys() == SERVER_LOGINS.keys()
    assert {settings_of for settings_of, _ in KINDS.values()} == set(_READERS.values())


@pytest.mark.parametrize("url", KINDS)
def test_a_server_never_gets_the_login_of_another_one(url: str) -> None:
    settings_of, server = KINDS[url]
    here = Settings(**dict.fromkeys(SERVER_LOGINS[url], "prod"))
    told = settings_of(Connection(conn_id="staging", conn_type="generic", **server))
    elsewhere = Settings(**{**here.model_dump(), **told})
    assert "staging" in getattr(elsewhere, url)
    assert {name: getattr(elsewhere, name) for name in SERVER_LOGINS[url]} == dict.fromkeys(SERVER_LOGINS[url])


@pytest.mark.parametrize(
    ("here", "given", "expected"),
    [
        ({"es_api_key": "prod"}, {"login": "me", "password": "pw"}, ("me", "pw", None)),
        ({"es_api_key": "prod"}, {"host": "staging", "login": "me", "password": "pw"}, ("me", "pw", None)),
        ({"es_user": "prod", "es_password": "prod"}, {"extra": '{"api_key": "key"}'}, (None, None, "key")),
        ({"es_user": "prod", "es_password": "prod"}, {"password": "pw"}, ("prod", "pw", None)),
        ({"es_api_key": "prod"}, {"host": "staging"}, (None, None, None)),
    ],
)
def test_one_way_to_log_in_to_elasticsearch_takes_the_place_of_the_other(
    here: dict[str, Any], given: dict[str, Any], expected: tuple[str | None, ...]
) -> None:
    told = elasticsearch_settings(Connection(conn_id="elasticsearch_default", conn_type="elasticsearch", **given))
    connection = EsConnection.from_settings(Settings(**{**Settings(**here).model_dump(), **told}))
    assert (connection.user, connection.password, connection.api_key) == expected


def test_a_connection_without_a_host_brings_its_login_alone() -> None:
    assert mysql_settings(Connection(conn_id="mysql_default", conn_type="mysql", login="me")) == {"mysql_user": "me"}


def test_a_connection_to_redis_may_ask_for_tls_and_another_database() -> None:
    extra = json.dumps({"ssl": True, "db": 3, "ssl_ca_certs": "/etc/ca.pem"})
    found = Settings(
        **redis_settings(
            Connection(conn_id="redis_default", conn_type="redis", host="cache", password="pw", extra=extra)
        )
    )
    assert (found.redis_url, found.redis_user, str(found.redis_ca_certs)) == (
        "rediss://cache:6379/3",
        None,
        "/etc/ca.pem",
    )


def test_connections_to_images_name_their_database_and_their_store() -> None:
    database = Connection(conn_id="mysql_images", conn_type="mysql", host="db", login="me", password="pw")
    found = Settings(**images_mysql_settings(database))
    assert (found.images_mysql_url, found.images_mysql_user) == ("mysql://db:3306/embsearch_images", "me")
    extra = json.dumps({"endpoint_url": "http://minio:9000", "region_name": "eu-west-1"})
    store = Connection(conn_id="images_store", conn_type="aws", login="key", password="secret", extra=extra)
    read = Settings(**images_store_settings(store))
    assert (read.images_s3_endpoint, read.images_s3_region) == ("http://minio:9000", "eu-west-1")
    assert (str(read.images_s3_key), str(read.images_s3_secret)) == ("**********", "**********")
    assert read.images_s3_secret is not None
    assert read.images_s3_secret.get_secret_value() == "secret"


@pytest.mark.parametrize(
    ("name", "connection", "field"),
    [
        ("mysql_default", {"conn_type": "mysql", "host": "me:hush-hush@db"}, "host, for mysql_url,"),
        ("redis_default", {"conn_type": "redis", "host": "me:hush-hush@cache"}, "host, for redis_url,"),
        (
            "images_store",
            {"conn_type": "aws", "extra": {"endpoint_url": "http://me:hush-hush@minio"}},
            "extra, for images_s3_endpoint,",
        ),
        (
            "elasticsearch_default",
            {"conn_type": "elasticsearch", "host": "es", "extra": {"ca_certs": ["hush-hush"]}},
            "extra, for es_ca_certs,",
        ),
        ("mysql_images", {"conn_type": "mysql", "host": "db", "extra": ["hush-hush"]}, "extra is no JSON object"),
        ("mysql_backup", {"conn_type": "mysql", "host": "db", "extra": "hush-hush"}, "extra is no JSON object"),
    ],
    ids=lambda value: value if isinstance(value, str) and "," not in value else "",
)
def test_a_connection_that_cannot_be_used_is_named_with_its_field_and_without_its_password(
    monkeypatch: pytest.MonkeyPatch, name: str, connection: dict[str, Any], field: str
) -> None:
    extra = connection.get("extra")
    given = {**connection, "extra": extra if isinstance(extra, str) else json.dumps(extra)} if extra else connection
    monkeypatch.setenv(f"AIRFLOW_CONN_{name.upper()}", json.dumps(given))
    with pytest.raises(InputError, match=f"Airflow connection {name}: its {field}.* run the task again") as caught:
        settings_with_connections()
    assert "hush-hush" not in "".join(traceback.format_exception(caught.value))


def test_connections_that_can_be_used_come_over_the_settings(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AIRFLOW_CONN_MYSQL_DEFAULT", "mysql://me:pw@db:3307/tunes")
    assert settings_with_connections().mysql_url == "mysql://db:3307/tunes"
