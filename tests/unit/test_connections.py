"""What Airflow connections say about servers of tables and playlists."""

from __future__ import annotations

import json

import pytest
from airflow.sdk import Connection

from include.settings import Settings
from search_ops.connections import (
    backup_mysql_settings,
    images_mysql_settings,
    images_store_settings,
    mysql_settings,
    redis_settings,
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


def test_a_server_never_gets_the_login_of_another_one() -> None:
    here = Settings(mysql_user="local", mysql_password="local")  # type: ignore[arg-type]
    elsewhere = here.model_copy(
        update=mysql_settings(Connection(conn_id="mysql_default", conn_type="mysql", host="db"))
    )
    assert (elsewhere.mysql_user, elsewhere.mysql_password) == (None, None)


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
