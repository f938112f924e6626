"""What looks like a setting and is none is said, with the setting that may have been meant."""

from __future__ import annotations

from pathlib import Path

import pytest

from include.cli.session import command_session
from include.settings import PREFIX, Settings
from include.settings.unknown import unknown_settings


def test_a_slip_of_the_pen_is_told_with_the_setting_that_was_meant() -> None:
    assert unknown_settings(["EMBSEARCH_MODLE", "EMBSEARCH_MODEL", "PATH", "MY_EMBSEARCH_TOP"]) == [
        "EMBSEARCH_MODLE is no setting, so it is ignored. Did you mean EMBSEARCH_MODEL?"
    ]


def test_what_is_like_no_setting_is_told_without_a_guess() -> None:
    assert unknown_settings(["EMBSEARCH_QQQQ"]) == ["EMBSEARCH_QQQQ is no setting, so it is ignored."]


def test_no_setting_is_taken_for_a_slip() -> None:
    assert unknown_settings(f"{PREFIX}{name.upper()}" for name in Settings.model_fields) == []


@pytest.mark.parametrize("name", ["ENV_FILES", "STACK", "PROGRAM", "TORCH_PATH", "TEST_QDRANT_URL", "BENCH_TOKEN"])
def test_what_other_parts_read_is_no_slip(name: str) -> None:
    assert unknown_settings([f"{PREFIX}{name}"]) == []


def test_every_command_says_so_and_goes_on(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("EMBSEARCH_TOP_K", "5")
    with command_session("search", Settings(_env_file=None, log_dir=tmp_path)):
        pass
    assert "EMBSEARCH_TOP_K is no setting, so it is ignored." in capsys.readouterr().err
