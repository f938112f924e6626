"""Whoever searches images in the containers, Airflow's API server or the server alone, has what that takes."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import yaml
from airflow.api_fastapi.auth.managers.models.resource_details import DagAccessEntity
from airflow.api_fastapi.auth.managers.simple.simple_auth_manager import SimpleAuthManager
from fastapi.testclient import TestClient

from include.cli.image_server import PORT
from include.images.api.access import by_token
from include.images.api.alone import ENDING_SECONDS
from include.images.api.app import create_app
from include.images.api.rebuilds import by_settings
from include.images.api.serving import Serving
from include.objects.locations import Allowed, Location
from include.settings import PROJECT_ROOT, Settings
from tests.unit.compose.composition import embsearch, inside, mounted, settings_of

SEARCHING = ("airflow-apiserver", "image-search")
LOGINS = {"images_mysql_user", "images_mysql_password", "images_s3_key", "images_s3_secret"}
DOCKER = PROJECT_ROOT / "docker"


@pytest.fixture
def alone(bare_settings: None, services: dict[str, dict[str, Any]]) -> Settings:
    """The settings of the server alone."""
    return settings_of(services["image-search"])


@pytest.mark.parametrize("name", SEARCHING)
def test_it_is_told_what_tasks_are_told_of_images_but_for_their_logins(
    services: dict[str, dict[str, Any]], name: str
) -> None:
    tasks, own = embsearch(services["airflow-worker"]), embsearch(services[name])
    wanted = {key for key in tasks if key.startswith("images_")} | {"state_dir", "kserve_url", "use_index_v2"}
    assert wanted >= LOGINS
    assert {key: own.get(key) for key in wanted - LOGINS} == {key: tasks[key] for key in wanted - LOGINS}
    assert not [key for key in LOGINS if own.get(key) in {None, tasks[key]}]
    assert not [key for key in services[name]["environment"] if key.startswith("AIRFLOW_CONN_")]


@pytest.mark.parametrize("name", SEARCHING)
def test_it_reaches_the_servers_and_reads_the_state_and_the_files(
    bare_settings: None, services: dict[str, dict[str, Any]], name: str
) -> None:
    service, settings = services[name], settings_of(services[name])
    for server in ("triton-cpu", "triton-gpu", "mariadb", "minio"):
        assert set(service["networks"]) & set(services[server]["networks"]), server
    found = mounted(service)
    assert found[settings.state_dir] == ("state", "ro")
    data = found[inside("data")]
    assert data == ("./data", "ro")
    assert data == mounted(services["airflow-worker"])[inside("data")]
    assert inside(settings.images_v1_dir).is_relative_to(inside("data"))
    for root in settings.images_roots.split(","):
        assert inside(root).is_relative_to(inside("data")), root
    assert found[inside("include")] == ("./include", "ro")


def test_what_it_writes_is_below_the_stores_that_it_may_read(alone: Settings) -> None:
    allowed = Allowed.from_settings(alone)
    for store in (alone.images_result_store, alone.images_temporary_stores):
        assert allowed.covers(Location.of(f"{store}/x.png")), store


def test_its_rights_in_the_object_store_are_to_read_and_to_put_result_images(alone: Settings) -> None:
    bucket = f"arn:aws:s3:::{alone.images_stores.removeprefix('s3://')}"
    results = f"arn:aws:s3:::{alone.images_result_store.removeprefix('s3://')}"
    assert alone.images_s3_key
    assert rights(alone.images_s3_key.get_secret_value()) == {
        "s3:ListBucket": bucket, "s3:GetObject": f"{bucket}/*", "s3:PutObject": f"{results}/*",
    }  # fmt: skip


def test_tasks_may_delete_and_nobody_has_the_administrator_s_key(services: dict[str, dict[str, Any]]) -> None:
    keys = {name: embsearch(services[name])["images_s3_key"] for name in ("airflow-worker", *SEARCHING)}
    script = (DOCKER / "minio" / "logins.sh").read_text(encoding="utf-8")
    assert "s3:DeleteObject" in rights(keys["airflow-worker"])
    for key in keys.values():
        assert key != services["minio"]["environment"]["MINIO_ROOT_USER"]
        assert f"\nlogin {key} " in script
    bucket = embsearch(services["airflow-worker"])["images_stores"].removeprefix("s3://")
    assert f"mc mb --ignore-existing minio/{bucket}\n" in script
    (rule,) = json.loads((DOCKER / "minio" / "rules.json").read_text())["Rules"]
    result_store = embsearch(services["airflow-worker"])["images_result_store"]
    assert f"s3://{bucket}/{rule['Filter']['Prefix']}" == f"{result_store}/"


def test_the_server_alone_has_a_token_and_never_builds(alone: Settings) -> None:
    by_token(alone)
    assert not alone.images_rebuild_at_start  # it may not write the state


def test_it_is_watched_by_its_own_token_where_it_listens(alone: Settings, services: dict[str, dict[str, Any]]) -> None:
    service = services["image-search"]
    assert service["ports"] == [f"127.0.0.1:{PORT}:{PORT}"]
    assert service["entrypoint"] == ["embsearch", "images", "serve", "--host", "0.0.0.0"]
    assert int(service["stop_grace_period"].removesuffix("s")) > ENDING_SECONDS
    kind, command = service["healthcheck"]["test"]
    assert kind == "CMD-SHELL"
    header, url = re.findall(r"'(\S+: \S+) %s'.*(http://\S+)$", command)[0]
    assert url == f"http://localhost:{PORT}/health"
    assert '"$EMBSEARCH_IMAGES_TOKEN"' in command
    name, scheme = header.split(": ")
    assert alone.images_token
    with Serving(alone) as serving:
        client = TestClient(create_app(serving, by_token(alone), by_settings(alone)))
        answer = client.get("/health", headers={name: f"{scheme} {alone.images_token.get_secret_value()}"})
    assert answer.status_code == 503, "let in, and there is nothing to search"


def test_it_starts_rebuilds_by_a_login_of_airflow_that_sees_no_connection(
    alone: Settings, services: dict[str, dict[str, Any]], monkeypatch: pytest.MonkeyPatch
) -> None:
    server = services["airflow-apiserver"]
    assert alone.images_airflow_url == "http://airflow-apiserver:8080"
    assert set(server["networks"]) & set(services["image-search"]["networks"])
    option = "AIRFLOW__CORE__SIMPLE_AUTH_MANAGER_USERS"
    monkeypatch.setenv(option, server["environment"][option])
    users = {user.username: user for user in SimpleAuthManager.get_users()}
    assert alone.images_airflow_user
    user, manager = users[alone.images_airflow_user], SimpleAuthManager()  # type: ignore[no-untyped-call]
    for method in ("GET", "POST"):
        assert manager.is_authorized_dag(method=method, access_entity=DagAccessEntity.RUN, user=user)
    assert not manager.is_authorized_connection(method="GET", user=user)
    assert not manager.is_authorized_variable(method="GET", user=user)


def test_the_passwords_of_airflow_s_users_are_those_of_the_settings(
    alone: Settings, services: dict[str, dict[str, Any]], tmp_path: Path
) -> None:
    environment = services["airflow-init"]["environment"]
    target = tmp_path / "passwords.json"
    file = {"AIRFLOW__CORE__SIMPLE_AUTH_MANAGER_PASSWORDS_FILE": str(target)}
    script = (DOCKER / "airflow" / "init.sh").read_text(encoding="utf-8").replace("\nairflow ", "\n: airflow ")
    subprocess.run(["bash", "-c", script], env={**os.environ, **environment, **file}, check=True)
    assert alone.images_airflow_user
    assert alone.images_airflow_password
    assert json.loads(target.read_text()) == {
        environment["AIRFLOW_ADMIN_USER"]: environment["AIRFLOW_ADMIN_PASSWORD"],
        alone.images_airflow_user: alone.images_airflow_password.get_secret_value(),
    }
    assert target.stat().st_mode & 0o777 == 0o600


@pytest.fixture
def command(tmp_path: Path) -> Path:
    """``embsearch`` as the image has it."""
    text = (DOCKER / "airflow" / "Dockerfile").read_text(encoding="utf-8")
    (made,) = [step for step in text.split("\nRUN ") if step.startswith("printf")]
    target = tmp_path / "embsearch"
    shell = made.split("\n#")[0].replace("/usr/local/bin/embsearch", str(target))
    subprocess.run(["sh", "-c", shell], check=True)
    return target


def test_the_image_has_the_command_line(command: Path, bare_settings: None) -> None:
    environment = {**os.environ, "PYTHONPATH": str(PROJECT_ROOT), "COLUMNS": "200"}
    path = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
    done = subprocess.run(
        [command, "images", "serve", "--help"], env={**environment, "PATH": path}, cwd=command.parent,
        capture_output=True, text=True, check=True,
    )  # fmt: skip
    assert "--host" in done.stdout


def rights(login: str) -> dict[str, str]:
    """Action → on what, of a login of the object store."""
    found: dict[str, str] = {}
    policy = yaml.safe_load((DOCKER / "minio" / f"{login}.json").read_text(encoding="utf-8"))
    for statement in policy["Statement"]:
        assert statement["Effect"] == "Allow"
        actions = statement["Action"]
        found |= dict.fromkeys([actions] if isinstance(actions, str) else actions, statement["Resource"])
    return found
