"""Settings, connections, pools and folders of the composition are those of the code, and the other way round."""

from __future__ import annotations

import json
import re
from typing import Any

import pytest
from airflow.configuration import conf

from include.settings import PROJECT_ROOT, Settings
from search_ops import connections
from search_ops.defaults import POOLS
from tests.unit.compose.composition import (
    CODE,
    SECRET,
    embsearch,
    environments,
    long_running,
    mounted,
    runs_our_code,
    settings_of,
    volumes,
)

AIRFLOW = {f"airflow-{part}" for part in ("init", "apiserver", "scheduler", "dag-processor", "triggerer", "worker")}
TASKS = {"airflow-worker", "airflow-triggerer"}
IMAGE_SEARCH = {"airflow-apiserver", "image-search"}
TOLD = {
    "AIRFLOW_ADMIN_PASSWORD": {"airflow-init"},
    "AIRFLOW_IMAGES_PASSWORD": {"airflow-init", "image-search"},
    "AIRFLOW_FERNET_KEY": AIRFLOW,
    "AIRFLOW_API_SECRET_KEY": AIRFLOW,
    "AIRFLOW_JWT_SECRET": AIRFLOW,
    "POSTGRES_PASSWORD": AIRFLOW | {"postgres"},
    "REDIS_PASSWORD": AIRFLOW | {"redis"},
    "QDRANT_API_KEY": TASKS | {"qdrant"},
    "ELASTIC_PASSWORD": {"elasticsearch", "elasticsearch-user"},
    "ES_PASSWORD": TASKS | {"elasticsearch-user"},
    "MARIADB_PASSWORD": TASKS | {"mariadb"},
    "MARIADB_OWNER_PASSWORD": {"mariadb"},
    "MARIADB_IMAGES_PASSWORD": IMAGE_SEARCH | {"mariadb"},
    "PLAYLIST_REDIS_PASSWORD": TASKS | {"playlist-redis"},
    "MINIO_PASSWORD": {"minio", "minio-logins"},
    "MINIO_TASKS_PASSWORD": TASKS | {"minio-logins"},
    "MINIO_IMAGES_PASSWORD": IMAGE_SEARCH | {"minio-logins"},
    "IMAGES_TOKEN": {"image-search"},
}
KNOWN_TO_THE_CELERY_PROVIDER = {("celery", "result_backend"), ("celery_broker_transport_options", "visibility_timeout")}


def test_all_airflow_processes_see_the_same_code(services: dict[str, dict[str, Any]]) -> None:
    code = {
        ("./dags", "/opt/airflow/dags"),
        ("./plugins", "/opt/airflow/plugins"),
        ("./include", "/opt/airflow/include"),
    }
    for name, service in long_running(services).items():
        if name.startswith("airflow-"):
            mounted = {(source, target) for _, source, target, _ in volumes({name: service})}
            assert code <= mounted, name


def test_every_setting_is_a_field(services: dict[str, dict[str, Any]]) -> None:
    names = {key for service in services.values() if "environment" in service for key in embsearch(service)}
    assert names
    assert names - Settings.model_fields.keys() == set()


def test_every_setting_that_is_not_set_can_be_given_in_one_file_to_every_process(
    services: dict[str, dict[str, Any]],
) -> None:
    processes = [service for service in services.values() if "environment" in service and embsearch(service)]
    assert processes
    for service in processes:
        assert service["env_file"] == [{"path": "settings.env", "required": False}]
    assert "settings.env" in (PROJECT_ROOT / ".gitignore").read_text().split()  # it may hold secrets


def test_every_server_that_the_settings_name_is_set(bare_settings: None, services: dict[str, dict[str, Any]]) -> None:
    local = {
        name for name, value in Settings().model_dump().items() if re.search(r"localhost|127\.0\.0\.1", str(value))
    }
    assert {"kserve_url", "es_url", "redis_url"} <= local
    processes = runs_our_code(services)
    assert set(processes) == {*AIRFLOW - {"airflow-init"}, "image-search"}
    for name in set(processes) - {"image-search"}:  # of that: test_compose_images.py
        assert local <= embsearch(services[name]).keys(), name


def test_settings_are_valid_and_lead_to_services(bare_settings: None, services: dict[str, dict[str, Any]]) -> None:
    worker = services["airflow-worker"]
    settings = settings_of(worker)
    listening = {"triton": {8080, 8001}, "qdrant": {6333}, "elasticsearch": {9200}, "mariadb": {3306}}
    listening |= {"playlist-redis": {6379}, "minio": {9000}}
    models = (settings.kserve_url, settings.kserve_grpc_url)
    stores = (settings.qdrant_url, settings.es_url, settings.mysql_url, settings.backup_mysql_url, settings.redis_url)
    for url in (*models, *stores, settings.images_mysql_url, settings.images_s3_endpoint):
        host, _, port = url.rpartition("//")[2].partition("/")[0].partition(":")
        assert int(port) in listening[host], url
        server = services["triton-cpu" if host == "triton" else host]
        reachable = server["networks"]
        assert set(reachable) & set(worker["networks"]), url
        assert host != "triton" or reachable["search"]["aliases"] == ["triton"]
    options = services["triton-cpu"]["command"]
    assert {"--http-port=8080", "--grpc-port=8001", "--model-control-mode=explicit"} <= set(options)


def test_what_tasks_write_is_on_volumes_and_triton_sees_the_models(
    bare_settings: None, services: dict[str, dict[str, Any]]
) -> None:
    for name in ("airflow-worker", "airflow-triggerer"):
        settings, found = settings_of(services[name]), mounted(services[name])
        assert found[settings.state_dir] == ("state", "rw")
        assert found[settings.model_repository] == ("models", "rw")
        assert found[settings.environments_dir] == ("environments", "rw")
        assert settings.es_ca_certs
        assert found[settings.es_ca_certs.parent] == ("elasticsearch-ca", "ro")
        assert found[CODE / "logs"] == ("airflow-logs", "rw")
    assert "models:/models:ro" in services["triton-cpu"]["volumes"]
    assert "--model-repository=/models" in services["triton-cpu"]["command"]


def test_each_secret_is_told_to_those_alone_who_need_it(
    services: dict[str, dict[str, Any]], environment: dict[str, str]
) -> None:
    assert TOLD.keys() == {name for name in environment if SECRET.search(name)}
    for secret, wanted in TOLD.items():
        assert {name for name, _, value in environments(services) if environment[secret] in value} == wanted, secret


def test_every_connection_is_one_that_the_code_reads_and_the_other_way_round(services: dict[str, Any]) -> None:
    read = {value for name, value in vars(connections).items() if name.endswith("_CONNECTION")}
    assert read
    prefix = "AIRFLOW_CONN_"
    for name in ("airflow-worker", "airflow-triggerer"):
        given = {key.removeprefix(prefix).lower() for key in services[name]["environment"] if key.startswith(prefix)}
        assert given == read, name


def test_connections_say_the_same_as_the_settings(
    bare_settings: None, services: dict[str, dict[str, Any]], monkeypatch: pytest.MonkeyPatch
) -> None:
    environment = services["airflow-worker"]["environment"]
    settings = settings_of(services["airflow-worker"])
    secrets = {"es_user", "es_password", "es_ca_certs", "qdrant_api_key", "redis_password"}
    secrets |= {f"{prefix}mysql_{part}" for prefix in ("", "backup_", "images_") for part in ("user", "password")}
    secrets |= {"images_s3_key", "images_s3_secret"}
    for name, value in environment.items():
        if name.startswith("AIRFLOW_CONN_") or (name.startswith("EMBSEARCH_") and name[10:].lower() not in secrets):
            monkeypatch.setenv(name, value)
    assert connections.settings_with_connections() == settings


def test_tasks_write_the_images_alone_in_mysql() -> None:
    script = (PROJECT_ROOT / "docker/mariadb/databases.sh").read_text(encoding="utf-8")
    assert re.findall(r"GRANT SELECT ON \\`(\w+)", script) == ["music"], "of the rest it writes the images alone"
    assert re.findall(r"GRANT (.+) ON .+ TO '(\w+)'", script) == [
        ("SELECT", "embsearch"),
        ("SELECT, INSERT, UPDATE, DELETE", "embsearch"),
        ("SELECT, INSERT", "embsearch_images"),
        ("ALL PRIVILEGES", "embsearch_owner"),
        ("ALL PRIVILEGES", "embsearch_owner"),
    ]


def test_the_pools_made_are_those_that_tasks_use() -> None:
    pools = json.loads((PROJECT_ROOT / "docker/airflow/pools.json").read_text(encoding="utf-8"))
    assert set(pools) == set(POOLS)
    for name, pool in pools.items():
        assert pool.keys() == {"slots", "description", "include_deferred"}, name
        assert pool["slots"] >= 1, name
    assert "pools.json" in (PROJECT_ROOT / "docker/airflow/init.sh").read_text(encoding="utf-8")


def test_every_airflow_option_exists(services: dict[str, dict[str, Any]]) -> None:
    known = conf.configuration_description
    assert known
    named = {tuple(key.lower().split("__", 2)[1:]) for _, key, _ in environments(services) if key[:9] == "AIRFLOW__"}
    named -= KNOWN_TO_THE_CELERY_PROVIDER
    assert len(named) >= 15
    assert [name for name in named if name[1] not in known.get(name[0], {}).get("options", {})] == []


def test_all_airflow_processes_share_one_configuration(services: dict[str, dict[str, Any]]) -> None:
    configurations = {
        name: {key: value for key, value in service["environment"].items() if key.startswith("AIRFLOW__")}
        for name, service in services.items()
        if name.startswith("airflow-")
    }
    first = configurations["airflow-scheduler"]
    assert all(configuration == first for configuration in configurations.values())


def test_recovery_is_set_to_what_was_measured(services: dict[str, dict[str, Any]], environment: dict[str, str]) -> None:
    given = services["airflow-scheduler"]["environment"]
    assert given["AIRFLOW__CORE__EXECUTOR"] == "CeleryExecutor"
    assert given["AIRFLOW__WORKERS__MIN_HEARTBEAT_INTERVAL"] == "1"
    assert given["AIRFLOW__SCHEDULER__TASK_INSTANCE_HEARTBEAT_TIMEOUT"] == "30"
    assert given["AIRFLOW__SCHEDULER__TASK_QUEUED_TIMEOUT"] == "60"
    # One worker: what may be queued at once has a slot.
    assert environment["AIRFLOW_PARALLELISM"] == environment["AIRFLOW_WORKER_CONCURRENCY"]
    assert "appendonly yes" in services["redis"]["command"][-1]
