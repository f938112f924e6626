"""The process whose memory is measured has the settings of the one that starts it, and its logins."""

from __future__ import annotations

from pathlib import Path

import pytest

from include.bench.linking import _with_logins
from include.settings import Settings, get_settings


def test_logins_come_from_the_environment_and_are_not_handed_over(
    bare_settings: None, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("EMBSEARCH_ES_USER", "elastic")
    monkeypatch.setenv("EMBSEARCH_ES_PASSWORD", "secret of the test")
    get_settings.cache_clear()
    settings = get_settings().model_copy(update={"state_dir": tmp_path, "es_url": "http://localhost:9201"})
    told = settings.model_dump_json()
    assert "secret of the test" not in told
    assert _with_logins(told) == settings


def test_a_login_that_the_process_before_does_not_use_is_not_used(
    bare_settings: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    told = Settings().model_dump_json()
    monkeypatch.setenv("EMBSEARCH_ES_PASSWORD", "secret of the test")
    get_settings.cache_clear()
    assert _with_logins(told).es_password is None
