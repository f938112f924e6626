"""Fixtures for all tests."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from include.settings import Settings, get_settings


@pytest.fixture
def bare_settings(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Settings as documented: nothing from this machine's environment or from a local stack."""
    import os

    for name in os.environ:
        if name.startswith("EMBSEARCH_"):
            monkeypatch.delenv(name)
    monkeypatch.setitem(Settings.model_config, "env_file", None)
    get_settings.cache_clear()
    yield
    get_settings.cache_clear()
