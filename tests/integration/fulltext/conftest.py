"""Documents on a real Elasticsearch."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from uuid import uuid4

import pytest

from include.fulltext.search import DocumentSearch
from include.settings import Settings, get_settings
from tests.conftest import settings_in
from tests.integration.elasticsearch_server import ElasticsearchServer
from tests.integration.fulltext.library import Library
from tests.integration.fulltext.six_documents import seed


@pytest.fixture
def library(elasticsearch: ElasticsearchServer, tmp_path: Path, bare_settings: None) -> Iterator[Library]:
    """An empty folder and a collection that nobody else uses, on the plain node that all tests share."""
    settings = Settings(
        **{**get_settings().model_dump(), "state_dir": tmp_path / "state", "es_url": elasticsearch.service.url,
           "model_repository": tmp_path / "repository", "log_dir": tmp_path / "logs"}
    )  # fmt: skip
    (tmp_path / "documents").mkdir()
    library = Library(settings, tmp_path, f"library-{uuid4().hex[:8]}")
    yield library
    library.drop()


@pytest.fixture
def seeded(library: Library) -> Library:
    """A collection of the test's own with the six documents."""
    return seed(library)


@pytest.fixture(scope="module")
def shared(elasticsearch: ElasticsearchServer, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Library]:
    """The same, for tests that only read."""
    folder = tmp_path_factory.mktemp("library")
    settings = settings_in(folder).model_copy(update={"es_url": elasticsearch.service.url})
    library = Library(settings, folder, f"library-{uuid4().hex[:8]}")
    yield seed(library, language="any", analysis="auto", model="minilm")
    library.drop()


@pytest.fixture
def search(library: Library) -> Iterator[DocumentSearch]:
    """A search of the test's own collections, to whom every fault is an error."""
    with DocumentSearch(library.settings, faults="strict") as search:
        yield search


@pytest.fixture(scope="module")
def reading(shared: Library) -> Iterator[DocumentSearch]:
    """A search for all tests of a file that only read."""
    with DocumentSearch(shared.settings, faults="strict") as search:
        yield search
