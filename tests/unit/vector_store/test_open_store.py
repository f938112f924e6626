"""A URL names its back end; any other says which forms there are."""

from __future__ import annotations

from pathlib import Path

import pytest

from include.errors import InputError
from include.settings import PROJECT_ROOT
from include.vector_store.edge import EdgeStore
from include.vector_store.exact import ExactStore
from include.vector_store.open import open_store
from include.vector_store.server import ServerStore


def test_each_form_opens_its_back_end(tmp_path: Path) -> None:
    assert isinstance(open_store(f"edge:{tmp_path}"), EdgeStore)
    assert isinstance(open_store(f"exact:{tmp_path}"), ExactStore)
    assert isinstance(open_store(":memory:"), ServerStore)


def test_relative_folders_start_at_the_project() -> None:
    store = open_store("exact:some/folder")
    assert isinstance(store, ExactStore)
    assert store._folders.root == PROJECT_ROOT / "some" / "folder"


def test_opening_touches_nothing(tmp_path: Path) -> None:
    open_store(f"edge:{tmp_path / 'new'}")
    assert not (tmp_path / "new").exists()


@pytest.mark.parametrize("url", ["", "edge:", "exact:", "localhost:6333", "http://", "https:", "ftp://x", "/a/folder"])
def test_anything_else_is_refused_with_the_forms(url: str) -> None:
    with pytest.raises(InputError, match="edge:<folder>.*exact:<folder>.*Qdrant server.*:memory:"):
        open_store(url)


def test_a_port_that_is_no_number_is_refused() -> None:
    with pytest.raises(InputError, match="http://localhost:port"):
        open_store("http://localhost:port")
