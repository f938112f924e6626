"""The composition is well formed, and its variables are those of ``.env.example``."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest
from check_jsonschema.builtin_schemas import get_builtin_schema
from cryptography.fernet import Fernet
from jsonschema.validators import validator_for

from include.settings import PROJECT_ROOT
from tests.unit.compose.composition import (
    COMPOSE,
    SECRET,
    VARIABLE,
    dotenv,
    environments,
    interpolated,
    new_env,
    volumes,
)

READ_BY_COMPOSE_ITSELF = {"COMPOSE_PROFILES"}


def test_it_follows_the_compose_specification(composition: dict[str, Any]) -> None:
    schema = get_builtin_schema("vendor.compose-spec")
    validator_for(schema)(schema).validate(composition)


def test_what_services_refer_to_is_declared(composition: dict[str, Any], services: dict[str, dict[str, Any]]) -> None:
    named = {source for _, source, _, _ in volumes(services) if not source.startswith((".", "/"))}
    assert named == set(composition["volumes"])
    assert {network for service in services.values() for network in service["networks"]} == set(composition["networks"])
    for name, service in services.items():
        waited_for = [services[other] for other in service.get("depends_on", {})]
        assert not [other for other in waited_for if "profiles" in other], f"{name} waits for what may not run"
        for other, wait in service.get("depends_on", {}).items():
            assert wait["condition"] != "service_healthy" or "healthcheck" in services[other]


def test_every_bind_mount_is_a_folder_of_this_project(raw: dict[str, Any]) -> None:
    sources = {source for _, source, _, _ in volumes(raw["services"]) if source.startswith((".", "/"))}
    assert sources >= {"./dags", "./plugins", "./include", "./triton_models"}
    assert {source for source in sources if not (PROJECT_ROOT / source).is_dir()} == set()
    assert {source for source in sources if not source.startswith("./")} == set()


def test_bind_mounts_are_read_only(services: dict[str, dict[str, Any]]) -> None:
    assert [mount for mount in volumes(services) if mount[1].startswith((".", "/")) and mount[3] != "ro"] == []


def test_every_variable_is_in_the_example_and_the_other_way_round() -> None:
    used = {match["name"] for match in VARIABLE.finditer(COMPOSE.read_text(encoding="utf-8")) if match["name"]}
    assert used | READ_BY_COMPOSE_ITSELF == set(dotenv(PROJECT_ROOT / ".env.example"))


def test_defaults_are_those_of_the_example() -> None:
    example = dotenv(PROJECT_ROOT / ".env.example")
    for match in VARIABLE.finditer(COMPOSE.read_text(encoding="utf-8")):
        if match["how"] == ":-":
            assert match["word"] == example[match["name"]], match["name"]


def test_no_secret_has_a_value_in_the_repository(raw: dict[str, Any]) -> None:
    assert {name: v for name, v in dotenv(PROJECT_ROOT / ".env.example").items() if SECRET.search(name) and v} == {}
    literal = [
        (service, key)
        for service, key, value in environments(raw["services"])
        if SECRET.search(key) and ":?" not in value and not key.endswith(("_FILE", "RANDOM_ROOT_PASSWORD"))
    ]
    assert literal == []
    secrets = [
        m for m in VARIABLE.finditer(COMPOSE.read_text(encoding="utf-8")) if m["name"] and SECRET.search(m["name"])
    ]
    assert secrets
    assert {match["name"] for match in secrets if match["how"] != ":?"} == set()
    assert re.findall(r"//[^/\s:]*:(?!\$\{)[^/\s@]+@", COMPOSE.read_text(encoding="utf-8")) == []


def test_a_missing_secret_stops_it_with_what_to_do(raw: dict[str, Any], environment: dict[str, str]) -> None:
    for name in environment:
        if SECRET.search(name):
            with pytest.raises(AssertionError, match=rf"{name} is not set: .*docker/new_env\.py"):
                interpolated(raw, {**environment, name: ""})


def test_new_env_makes_a_different_secret_for_each_place(environment: dict[str, str]) -> None:
    secrets = [value for name, value in environment.items() if SECRET.search(name)]
    assert len(secrets) == len(set(secrets)) >= 10
    assert min(map(len, secrets)) >= 44
    assert min(len(environment[name]) for name in ("AIRFLOW_JWT_SECRET", "AIRFLOW_API_SECRET_KEY")) >= 64
    Fernet(environment["AIRFLOW_FERNET_KEY"])
    assert [name for name, value in environment.items() if not value] == []


def test_new_env_is_for_its_owner_alone_and_never_replaces_one(tmp_path: Path) -> None:
    target = tmp_path / ".env"
    assert new_env(target).returncode == 0
    assert target.stat().st_mode & 0o777 == 0o600
    before = target.read_text()
    again = new_env(target)
    assert (again.returncode, target.read_text()) == (1, before)
    assert "was left as it is" in again.stderr
