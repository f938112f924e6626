"""Each back end with an empty store."""

from __future__ import annotations

import uuid
from collections.abc import Iterator
from pathlib import Path

import pytest

from include.vector_store.open import open_store
from tests.integration.vector_store.backends import Backend, backend_url, delete_collections


@pytest.fixture(params=["edge", "exact", "memory", "server"])
def backend(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Backend]:
    url = backend_url(request.param, tmp_path / "store")
    alias = f"test-{uuid.uuid4().hex[:12]}"
    store = open_store(url)
    yield Backend(request.param, url, store, alias)
    if request.param == "server":
        delete_collections(url, alias)
    store.close()


@pytest.fixture(params=["edge", "exact"])
def folder_url(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    return backend_url(request.param, tmp_path / "store")
