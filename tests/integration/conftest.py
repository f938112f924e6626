"""Real servers for the integration tests. What takes long to make is made once and kept under ``.local/cache``."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import count
from pathlib import Path

import pytest
from elasticsearch import Elasticsearch

from include.elastic.connection import connect
from include.local_stack.elasticsearch import ElasticsearchHome
from include.local_stack.elasticsearch import install as install_elasticsearch
from include.local_stack.environments import ensure
from include.local_stack.mariadb import install as install_mariadb
from include.model_export.launch import export_model
from include.settings import Settings
from include.triton.client import TritonClient
from include.triton.deploy import deploy
from tests.integration.elasticsearch_server import ElasticsearchServer, SecuredElasticsearch, open_folder
from tests.integration.export_cache import export_settings
from tests.integration.mariadb_server import MariadbDatabase, MariadbServer
from tests.integration.redis_server import RedisServer
from tests.integration.running_stack import RunningStack, started
from tests.integration.s3_server import S3Server
from tests.integration.triton_server import TritonServer

_numbers = count()


@pytest.fixture(scope="session")
def exported_minilm() -> Path:
    """The demo model, exported for real; later sessions find it standing as long as the exporter is the same."""
    return export_model("minilm", export_settings())


@pytest.fixture(scope="session")
def triton(tmp_path_factory: pytest.TempPathFactory) -> Iterator[TritonServer]:
    """A server that all tests share: they do not change what it serves."""
    server = TritonServer.at(tmp_path_factory.mktemp("triton"), ensure(Settings(), "triton"))
    try:
        server.start()
        yield server
    finally:
        server.stop()


@pytest.fixture(scope="session")
def served_minilm(triton: TritonServer, exported_minilm: Path) -> TritonServer:
    """The shared server with the demo model on it."""
    deploy(exported_minilm, triton.settings)
    return triton


@pytest.fixture
def triton_client(served_minilm: TritonServer) -> Iterator[TritonClient]:
    """A client of the shared server."""
    with TritonClient(served_minilm.settings.kserve_url, deadline_seconds=30) as client:
        yield client


@pytest.fixture(scope="session")
def elasticsearch_home() -> ElasticsearchHome:
    """The server's files, the same that the local stack uses."""
    return install_elasticsearch(Settings())


@pytest.fixture(scope="session")
def elasticsearch(elasticsearch_home: ElasticsearchHome) -> Iterator[ElasticsearchServer]:
    """A plain node that all tests share; a test that stops it starts it again. Indexes need names of their own."""
    with open_folder() as folder, ElasticsearchServer.at(folder, elasticsearch_home).running() as server:
        yield server


@pytest.fixture
def es_client(elasticsearch: ElasticsearchServer) -> Iterator[Elasticsearch]:
    """A client of the plain node."""
    with connect(elasticsearch.connection) as client:
        yield client


@pytest.fixture(scope="session")
def secured_elasticsearch(elasticsearch_home: ElasticsearchHome) -> Iterator[SecuredElasticsearch]:
    """A node with TLS, logins and API keys, which takes at most 200 kB of bulk requests at a time."""
    with open_folder() as folder:
        server = SecuredElasticsearch.make(folder, elasticsearch_home, Settings())
        with server.running():
            yield server


@pytest.fixture(scope="session")
def mariadb_distribution() -> Path:
    """The server's files, the same that the local stack uses."""
    return install_mariadb(Settings())


@pytest.fixture(scope="session")
def mariadb(mariadb_distribution: Path) -> Iterator[MariadbServer]:
    """A server that all tests share; a test that stops it starts it again."""
    with open_folder() as folder, MariadbServer.at(folder, mariadb_distribution).running() as server:
        yield server


@pytest.fixture
def database(mariadb: MariadbServer) -> Iterator[MariadbDatabase]:
    """Two empty databases for one test."""
    with mariadb.database(f"t{next(_numbers)}") as own:
        yield own


@pytest.fixture(scope="session")
def redis_server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RedisServer]:
    """A Redis that all tests share; a test that stops it starts it again, and none relies on what is in it."""
    with RedisServer.at(tmp_path_factory.mktemp("redis")).running() as server:
        yield server


@pytest.fixture(scope="session")
def running_stack(exported_minilm: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningStack]:
    """The whole stack, from nothing but installed packages to `make down`, after which no process of it may be left."""
    with started(tmp_path_factory.mktemp("stack") / "with a space", exported_minilm) as running:
        yield running


@pytest.fixture(scope="session")
def s3(tmp_path_factory: pytest.TempPathFactory) -> Iterator[S3Server]:
    """A server with the buckets ``images``, and ``hidden``, which no store of the tests allows."""
    with S3Server.at(tmp_path_factory.mktemp("s3")).running() as server:
        for name in ("images", "hidden"):
            server.make_bucket(name)
        yield server
