"""Each service is pinned, watched, started again, and has no right that it does not need."""

from __future__ import annotations

import re
from typing import Any

from include.settings import PROJECT_ROOT, Settings
from include.triton.ensemble import ENGINES
from tests.unit.compose.composition import dotenv, locked, long_running, one_shots, volumes


def test_the_services_are_the_documented_ones(services: dict[str, dict[str, Any]], environment: dict[str, str]) -> None:
    airflow = {f"airflow-{part}" for part in ("init", "apiserver", "scheduler", "dag-processor", "triggerer", "worker")}
    stores = {"postgres", "redis", "qdrant", "elasticsearch", "mariadb", "playlist-redis", "minio"}
    helpers = {"elasticsearch-certificates", "elasticsearch-user", "minio-logins"}
    assert set(services) == airflow | stores | helpers | {"triton-cpu", "triton-gpu", "image-search"}
    assert one_shots(services) == helpers | {"airflow-init"}
    assert {name: service["profiles"] for name, service in services.items() if "profiles" in service} == {
        "triton-cpu": ["cpu"],
        "triton-gpu": ["gpu"],
        "image-search": ["images"],
    }
    assert environment["COMPOSE_PROFILES"] in {"cpu", "gpu"}


def test_the_two_tritons_differ_by_the_gpu_alone(services: dict[str, dict[str, Any]]) -> None:
    cpu, gpu = services["triton-cpu"], services["triton-gpu"]
    differing = {key for key in cpu.keys() | gpu.keys() if cpu.get(key) != gpu.get(key)}
    assert differing == {"profiles", "deploy", "image", "build", "volumes"}
    assert gpu["build"]["args"].pop("LOCK") == "containers-triton-gpu.txt"
    assert gpu["build"] == cpu["build"]
    assert gpu["volumes"] == [*cpu["volumes"], f"tensorrt:{ENGINES}"]
    (device,) = gpu["deploy"]["resources"]["reservations"]["devices"]
    assert (device["driver"], device["capabilities"]) == ("nvidia", ["gpu"])


def test_what_runs_on_is_watched_and_started_again(services: dict[str, dict[str, Any]]) -> None:
    for name, service in long_running(services).items():
        assert service["restart"] == "unless-stopped", name
        assert service["healthcheck"].keys() == {"test", "interval", "timeout", "retries", "start_period"}, name
    assert {services[name]["restart"] for name in one_shots(services)} == {"no"}


def test_images_are_pinned(services: dict[str, dict[str, Any]]) -> None:
    images = [service["image"] for service in services.values()]
    for dockerfile in (PROJECT_ROOT / "docker").glob("*/Dockerfile"):
        images += re.findall(r"^FROM (\S+)", dockerfile.read_text(encoding="utf-8"), re.MULTILINE)
    assert [image for image in images if not re.search(r":[^:/]*\d+[.-]\d+[^:/]*$", image)] == []


def test_built_images_carry_the_version_of_their_base(services: dict[str, dict[str, Any]]) -> None:
    for service in services.values():
        if "build" in service:
            build = service["build"] if isinstance(service["build"], dict) else {"context": service["build"]}
            dockerfile = PROJECT_ROOT / build["context"] / build.get("dockerfile", "Dockerfile")
            text = dockerfile.read_text(encoding="utf-8")
            (base,) = re.findall(r"^FROM \S+:(?:slim-)?([\d.]+)", text, re.MULTILINE)
            assert service["image"].endswith(f":{base}")
            for source in re.findall(r"^COPY (?:--\S+ )*(.+) \S+$", text, re.MULTILINE):
                assert all((PROJECT_ROOT / build["context"] / path).is_file() for path in source.split()), source
    elasticsearch = (PROJECT_ROOT / "docker/elasticsearch/Dockerfile").read_text(encoding="utf-8")
    (server,) = re.findall(r"^FROM elasticsearch:(\S+)", elasticsearch, re.MULTILINE)
    assert re.findall(r"analysis-ik ([\d.]+\d)", elasticsearch) == [server]


def test_the_build_context_is_what_the_images_copy() -> None:
    kept = {
        line[1:]
        for line in (PROJECT_ROOT / ".dockerignore").read_text(encoding="utf-8").splitlines()
        if line[:1] == "!"
    }
    copied = {
        path
        for image in ("airflow", "triton")
        for path in re.findall(r"requirements/\S+\.txt(?= )", (PROJECT_ROOT / f"docker/{image}/Dockerfile").read_text())
        if (PROJECT_ROOT / path).exists()
    }
    assert kept == copied


def test_nothing_is_privileged(services: dict[str, dict[str, Any]]) -> None:
    for name, service in services.items():
        assert service["cap_drop"] == ["ALL"], name
        assert service["security_opt"] == ["no-new-privileges:true"], name
        assert service.keys().isdisjoint({"privileged", "cap_add", "pid", "ipc", "network_mode", "userns_mode"}), name
    assert not [mount for mount in volumes(services) if "docker.sock" in mount[1]]


def test_ports_are_published_on_the_loopback_address_once_each(raw: dict[str, Any], services: dict[str, Any]) -> None:
    ports = {name: service.get("ports", []) for name, service in raw["services"].items()}
    assert all(port.startswith("${BIND_ADDRESS:-127.0.0.1}:") for published in ports.values() for port in published)
    assert dotenv(PROJECT_ROOT / ".env.example")["BIND_ADDRESS"] == "127.0.0.1"
    assert [name for name in ("postgres", "redis") if ports[name]] == []
    assert ports["triton-cpu"] == ports["triton-gpu"]
    published = [
        port.split(":")[1] for name, s in services.items() if name != "triton-gpu" for port in s.get("ports", [])
    ]
    assert len(published) == len(set(published))


def test_ports_are_those_of_the_local_stack(bare_settings: None, services: dict[str, dict[str, Any]]) -> None:
    settings = Settings()
    published = {
        (name, int(port.split(":")[1])) for name, service in services.items() for port in service.get("ports", [])
    }
    assert {
        ("airflow-apiserver", settings.airflow_port),
        ("triton-cpu", settings.triton_http_port),
        ("triton-cpu", settings.triton_grpc_port),
        ("elasticsearch", settings.es_http_port),
        ("mariadb", settings.mariadb_port),
        ("playlist-redis", settings.redis_port),
    } <= published


def test_the_stores_and_triton_cannot_reach_the_database_of_airflow(services: dict[str, dict[str, Any]]) -> None:
    for name, service in services.items():
        if "airflow" in service["networks"]:
            assert name in {"postgres", "redis"} or name.startswith("airflow-"), name


def test_the_airflow_image_has_every_package_at_the_version_tested_here() -> None:
    image, here = locked("requirements/containers.txt"), locked("requirements.txt")
    assert len(here) > 50
    assert {name: version for name, version in here.items() if image.get(name) != version} == {}
    assert {"apache-airflow-providers-celery", "apache-airflow-providers-postgres", "psycopg2-binary"} <= image.keys()
    assert tuple(map(int, image["celery"].split(".")[:2])) < (5, 7)
    base = (PROJECT_ROOT / "docker/airflow/Dockerfile").read_text(encoding="utf-8")
    assert f"-{image['apache-airflow']}-python3.11" in base


def test_the_triton_image_runs_models_at_the_versions_tested_here() -> None:
    image, here = locked("requirements/containers-triton.txt"), locked("requirements/triton.txt")
    assert {name for name, version in image.items() if here.get(name) != version} == set()
    assert {"numpy", "onnxruntime", "openvino", "tokenizers"} <= image.keys()


def test_the_image_for_a_gpu_adds_the_torch_that_exports() -> None:
    image, on_cpu = locked("requirements/containers-triton-gpu.txt"), locked("requirements/containers-triton.txt")
    assert on_cpu.items() <= image.items()
    here = locked("requirements/export.txt")
    assert {name: image[name] for name in ("torch", "safetensors")} == {
        name: here[name] for name in ("torch", "safetensors")
    }
