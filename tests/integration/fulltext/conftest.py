"""Documents on a real Elasticsearch."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from uuid import uuid4

import pytest

from include.settings import Settings, get_settings
from tests.integration.elasticsearch_server import ElasticsearchServer
from tests.integration.fulltext.library import Library


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
