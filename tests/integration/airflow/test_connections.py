"""Servers and credentials that a user gives as Airflow connections."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any
from urllib.parse import urlsplit

import pytest

from include.elastic.connection import connect
from tests.integration.elasticsearch_server import SecuredElasticsearch
from tests.integration.running_stack import KEYWORDS, RunningStack

DAG = "keyword_text_index"
INDEX = "secured_keywords"


@pytest.fixture
def connection(running_stack: RunningStack, secured_elasticsearch: SecuredElasticsearch) -> Iterator[None]:
    """The secured server by login and fingerprint, as made on the page of connections."""
    url = urlsplit(secured_elasticsearch.service.url)
    own = secured_elasticsearch.connection
    body = {
        "connection_id": "elasticsearch_default",
        "conn_type": "elasticsearch",
        "schema": url.scheme,
        "host": url.hostname,
        "port": url.port,
        "login": own.user,
        "password": own.password,
        "extra": json.dumps({"ssl_assert_fingerprint": secured_elasticsearch.certificates.fingerprint}),
    }
    running_stack.api._call("POST", "/api/v2/connections", body)
    yield
    running_stack.api._send("DELETE", "/api/v2/connections/elasticsearch_default", None)


def test_a_connection_of_airflow_leads_to_a_secured_server_and_its_password_is_not_shown(
    running_stack: RunningStack,
    chain: dict[str, dict[str, Any]],
    connection: None,
    secured_elasticsearch: SecuredElasticsearch,
) -> None:
    run = running_stack.api.trigger(DAG, {"index": INDEX})
    assert running_stack.api.wait(DAG, run, seconds=240) == "success"
    with connect(secured_elasticsearch.connection) as client:
        assert client.count(index=INDEX)["count"] == KEYWORDS
    password = secured_elasticsearch.connection.password
    assert password
    for task in running_stack.tasks(DAG, run):
        log = running_stack.task_log(DAG, run, task["task_id"], map_index=task["map_index"])
        assert log
        assert password not in log
