"""What the tests of Elasticsearch share."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from itertools import count
from pathlib import Path

import pytest
from elasticsearch import Elasticsearch

from include.elastic.bulk import BulkWriter
from include.elastic.index_generations import IndexGenerations
from include.elastic.mappings import KEYWORD_MAPPING
from include.local_stack.elasticsearch import install
from include.settings import Settings
from tests.integration.elasticsearch_server import ELASTICSEARCH_8, ElasticsearchServer, open_folder

_numbers = count(1)


@pytest.fixture
def alias() -> str:
    """A name that no other test uses."""
    return f"test-{next(_numbers)}"


@pytest.fixture
def dead_letters(tmp_path: Path) -> Path:
    return tmp_path / "dead_letters"


MakeIndex = Callable[..., str]


@pytest.fixture
def make_index(alias: str) -> MakeIndex:
    """Create a keyword index on a cluster and return its name."""

    def make(client: Elasticsearch, generation: str = "g1") -> str:
        name = f"{alias}__{generation}"
        IndexGenerations(client, alias).create(name, KEYWORD_MAPPING, shards=1, replicas=0, bulk_load=False)
        return name

    return make


@pytest.fixture
def writer(es_client: Elasticsearch, make_index: MakeIndex, dead_letters: Path) -> BulkWriter:
    """A writer into a fresh keyword index."""
    return BulkWriter(es_client, make_index(es_client), run_id="run", dead_letters=dead_letters)


@pytest.fixture(scope="session")
def elasticsearch_8() -> Iterator[ElasticsearchServer]:
    """The version before."""
    home = install(Settings(), ELASTICSEARCH_8)
    with open_folder() as folder, ElasticsearchServer.at(folder, home).running() as server:
        yield server
