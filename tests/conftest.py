"""Fixtures for all tests."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from xdist.scheduler import LoadFileScheduling

from include.local_stack.access import OUTSIDE, reachable
from include.local_stack.ports import free_ports
from include.settings import PROJECT_ROOT, Settings, get_settings


class FilesTogether(LoadFileScheduling):  # type: ignore[misc]
    """What runs beside what: a file's tests stay together, and so do all that share the whole stack, started once."""

    def _split_scope(self, nodeid: str) -> str:
        file = nodeid.partition("::")[0]
        shared = "running_stack" in (PROJECT_ROOT / file).read_text(encoding="utf-8")
        return "stack" if shared else file


def pytest_xdist_make_scheduler(config: pytest.Config, log: Any) -> FilesTogether:
    """Let two workers share the files."""
    return FilesTogether(config, log)


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


def settings_in(folder: Path) -> Settings:
    """A stack of its own in ``folder``, on free ports; packages and downloads are the project's."""
    ports = [name for name in Settings.model_fields if name.endswith("_port")]
    return Settings(
        _env_file=None,
        local_dir=folder / "local",
        environments_dir=PROJECT_ROOT / ".local" / "venvs",
        cache_dir=PROJECT_ROOT / ".local" / "cache",
        state_dir=folder / "state",
        log_dir=folder / "logs",
        model_repository=folder / "repository",
        **dict(zip(ports, free_ports(len(ports)), strict=True)),
    )


@pytest.fixture
def own_settings(tmp_path: Path, bare_settings: None) -> Iterator[Settings]:
    """Settings that share no port and no data with anything else."""
    settings = settings_in(tmp_path)
    yield settings
    remove_outside(settings)


def remove_outside(settings: Settings) -> None:
    """What servers keep elsewhere when root's folder is closed to their user, as pytest's are."""
    for name in ("elasticsearch", "elasticsearch/node", "mariadb", "mariadb/node"):
        if (folder := reachable(settings.local_dir / name)).is_relative_to(OUTSIDE):
            shutil.rmtree(folder, ignore_errors=True)
