"""The launcher against small programs in the place of the export environment's interpreter."""

from __future__ import annotations

import logging
from collections.abc import Callable
from pathlib import Path

import pytest

from include.catalog.models import ModelSpec
from include.errors import FatalError, GateFailed, InputError, ServiceUnavailable
from include.model_export import launch
from include.settings import Settings

Pretend = Callable[[str, int], None]


@pytest.fixture
def pretend(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Pretend:
    """Make the interpreter a program that says one line and exits with a status."""

    def install(says: str, status: int) -> None:
        program = tmp_path / "python"
        program.write_text(f"#!/bin/sh\necho first line\nprintf '%s\\n' \"{says}\" >&2\nexit {status}\n")
        program.chmod(0o755)
        monkeypatch.setattr(launch, "ensure", lambda _settings, _name: program)

    return install


@pytest.mark.parametrize(
    ("status", "says", "expected"),
    [
        (2, "ERROR GateFailed: refused by check 'norm'", (GateFailed, "^refused by check 'norm'$")),
        (2, "ERROR InputError: no such folder", (InputError, "^no such folder$")),
        (3, "ERROR ServiceUnavailable: hub is down", (ServiceUnavailable, "hub is down")),
        (1, "Traceback: a defect", (FatalError, "ended with status 1.*(.|\\n)*a defect")),
        (137, "Killed", (FatalError, "status 137")),
    ],
)
def test_the_exports_own_words_and_class_reach_the_caller(
    tmp_path: Path, pretend: Pretend, status: int, says: str, expected: tuple[type[Exception], str]
) -> None:
    pretend(says, status)
    kind, told = expected

    with pytest.raises(kind, match=told) as caught:
        launch.export_model("minilm", Settings(state_dir=tmp_path))

    assert type(caught.value) is kind


def test_the_entry_travels_as_it_was_written_so_that_a_default_stays_one(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    catalogue = tmp_path / "models.yaml"
    catalogue.write_text("gte: {source: thenlper/gte-small, dimension: 384}")
    commands: list[list[str]] = []
    monkeypatch.setattr(launch, "ensure", lambda _settings, _name: Path("python"))
    monkeypatch.setattr(launch, "_run", lambda _model, command: commands.append(command))

    launch.export_model("gte", Settings(state_dir=tmp_path, catalogue=catalogue), force=True)

    (command,) = commands
    entry = ModelSpec.model_validate_json(command[command.index("--spec") + 1])
    assert (entry.pooling, entry.names_pooling) == ("mean", False)
    assert "--force" in command


def test_the_exports_log_is_passed_on(tmp_path: Path, pretend: Pretend, caplog: pytest.LogCaptureFixture) -> None:
    pretend("second line", 0)
    caplog.set_level(logging.INFO)

    launch.export_model("minilm", Settings(state_dir=tmp_path))

    assert caplog.messages == ["first line", "second line"]


def test_an_unknown_model_is_refused_before_anything_is_installed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def never(_settings: Settings, _name: str) -> Path:
        raise AssertionError

    monkeypatch.setattr(launch, "ensure", never)
    with pytest.raises(InputError, match="Unknown model 'nothing'"):
        launch.export_model("nothing", Settings(state_dir=tmp_path))
