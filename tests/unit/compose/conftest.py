"""The composition, raw and with a newcomer's ``.env`` put in."""

from __future__ import annotations

from typing import Any

import pytest
import yaml

from tests.unit.compose.composition import COMPOSE, dotenv, interpolated, new_env


@pytest.fixture(scope="module")
def raw() -> dict[str, Any]:
    read: dict[str, Any] = yaml.safe_load(COMPOSE.read_text(encoding="utf-8"))
    return read


@pytest.fixture(scope="module")
def environment(tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    """What a newcomer's .env holds."""
    target = tmp_path_factory.mktemp("compose") / ".env"
    new_env(target)
    return dotenv(target)


@pytest.fixture(scope="module")
def composition(raw: dict[str, Any], environment: dict[str, str]) -> dict[str, Any]:
    read: dict[str, Any] = interpolated(raw, environment)
    return read


@pytest.fixture(scope="module")
def services(composition: dict[str, Any]) -> dict[str, dict[str, Any]]:
    read: dict[str, dict[str, Any]] = composition["services"]
    return read
