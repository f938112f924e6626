"""The local stack of this project: which services it has, what they need installed, and where their users find them."""

from __future__ import annotations

import logging
import os
import platform
import shutil
from dataclasses import replace
from pathlib import Path

from pydantic import SecretStr

from include.errors import SetupError
from include.local_stack import airflow, elasticsearch, environments, lifecycle, members, triton
from include.local_stack.airflow_api import AirflowApi
from include.local_stack.lifecycle import LeftOver, ServiceStatus
from include.local_stack.paths import plain
from include.local_stack.ports import PortNeed, check_ports
from include.local_stack.process import write_private
from include.local_stack.service import Service
from include.local_stack.supervisor import Supervisor, log_path
from include.settings import PREFIX, Settings, get_settings

logger = logging.getLogger(__name__)

ADDRESS = "127.0.0.1"
# What runs work on until their owner says otherwise.
DEMO = {
    "model": "minilm",
    "keywords": "data/demo/keywords.txt",
    "products": "data/demo/products.txt",
    "daily_products": "data/demo/daily/products_{date}.txt",
}
MINIMUM_FREE = 10**9  # bytes; below that Elasticsearch stops writing


def up(settings: Settings) -> list[ServiceStatus]:
    """Install what is missing, start what does not run, wait until all is ready; from any state, and again at any time.

    Where the services are is written to ``stack.env``, which later processes read their settings from. On failure
    or interruption what this call started is stopped.

    Raises:
        SetupError: the machine lacks something: a port, disk space, a package; or a service does not start.
        Busy: another process is starting or stopping the stack.
    """
    _check_machine(settings)
    folder = run_folder(settings)
    with lifecycle.change(folder, "starting the stack"):
        lifecycle.recover(folder)
        check_ports(port_needs(settings), ours=[process.pid for process in members.members(folder)])
        settings = served_settings(settings)
        install(settings)
        write_private(settings.local_dir / "stack.env", env_file(settings))
        get_settings.cache_clear()
        logger.info("Starting the services")
        found = lifecycle.start_services(folder, services(settings))
        make_pools(settings)
    return found


def down(settings: Settings) -> int:
    """Stop the stack, so that no process of it is left; return how many there were.

    Raises:
        Busy: another process is starting or stopping the stack.
    """
    with lifecycle.change(run_folder(settings), "stopping the stack"):
        return lifecycle.stop_all(run_folder(settings))


def status(settings: Settings) -> list[ServiceStatus]:
    """How each service is now; an empty list when no supervisor answers: see :func:`left_over`."""
    if not Supervisor(run_folder(settings)).is_running():
        return []
    return lifecycle.status(run_folder(settings), services(served_settings(settings)))


def left_over(settings: Settings) -> list[LeftOver]:
    """The processes of a stack whose supervisor was killed, or does not answer; empty when the stack is down."""
    return lifecycle.left_over(run_folder(settings))


def services(settings: Settings) -> list[Service]:
    """The services in the order of starting; all that they need is installed."""
    return [_triton(settings), _elasticsearch(settings), *airflow.services(local_airflow(settings))]


def install(settings: Settings) -> None:
    """Bring what the services need: packages, servers, databases."""
    environments.ensure(settings, "triton")
    elasticsearch.install(settings)
    airflow.prepare(local_airflow(settings))


def served_settings(settings: Settings) -> Settings:
    """``settings`` as they are with the stack up: each service on this machine.

    A Qdrant server, a model or input files that the user has chosen stay chosen; else they are the engine in process
    and those of the demo.
    """
    has_qdrant = "qdrant_url" in settings.model_fields_set and not settings.qdrant_url.startswith("edge:")
    values = {
        "kserve_url": f"http://{ADDRESS}:{settings.triton_http_port}",
        "kserve_grpc_url": f"{ADDRESS}:{settings.triton_grpc_port}",
        "es_url": f"http://{ADDRESS}:{settings.es_http_port}",
        "qdrant_url": settings.qdrant_url if has_qdrant else f"edge:{settings.state_dir / 'qdrant'}",
        **{name: value for name, value in DEMO.items() if name not in settings.model_fields_set},
    }
    return settings.model_copy(update=values)


def env_file(settings: Settings) -> str:
    """The text of ``stack.env``: where the services are, and nothing secret."""
    names = ["kserve_url", "kserve_grpc_url", "es_url", "qdrant_url", *DEMO, *_port_fields()]
    lines = ["# Written by `make up`; the environment's EMBSEARCH_… variables come before these."]
    for name in names:
        quoted = str(getattr(settings, name)).replace("\\", "\\\\").replace("'", "\\'")
        lines.append(f"{PREFIX}{name.upper()}='{quoted}'")
    return "\n".join(lines) + "\n"


def task_environment(settings: Settings) -> dict[str, str]:
    """All settings as environment variables, for tasks; with the secrets, so keep it private."""
    values = {name: getattr(settings, name) for name in Settings.model_fields}
    return {
        PREFIX + name.upper(): value.get_secret_value() if isinstance(value, SecretStr) else str(value)
        for name, value in values.items()
        if value is not None
    }


def port_needs(settings: Settings) -> list[PortNeed]:
    """Every port of the stack with its setting."""
    return [PortNeed(getattr(settings, name), f"{PREFIX}{name.upper()}") for name in _port_fields()]


def run_folder(settings: Settings) -> Path:
    """Where the supervisor keeps its files."""
    return settings.local_dir / "run"


def log_folder(settings: Settings) -> Path:
    """One log a service."""
    return settings.local_dir / "logs"


def log_files(settings: Settings) -> list[Path]:
    """The logs there are: of the services, and of the supervisor that runs them."""
    supervisor = log_path(run_folder(settings))
    return [*sorted(log_folder(settings).glob("*.log")), *([supervisor] if supervisor.exists() else [])]


def local_airflow(settings: Settings) -> airflow.Airflow:
    """Airflow of this stack: its URL, user and password."""
    return airflow.Airflow(
        home=settings.local_dir / "airflow",
        port=settings.airflow_port,
        interpreter=settings.environments_dir / "airflow" / "bin" / "python",
        log_folder=log_folder(settings),
        task_environment=task_environment(settings),
    )


def airflow_api(settings: Settings) -> AirflowApi:
    """A client of this stack's Airflow.

    Raises:
        SetupError: the stack was never started here.
        ServiceUnavailable: Airflow does not answer.
    """
    local = local_airflow(settings)
    return AirflowApi(local.url, airflow.USER, local.password)


def make_pools(settings: Settings) -> None:
    """One pool for each server, so that tasks queue before it instead of crowding it."""
    slots = max(2, min(airflow.PARALLELISM, os.cpu_count() or 2))
    with airflow_api(settings) as api:
        for name in ("triton", "qdrant", "elasticsearch"):
            api.ensure_pool(name, slots, f"Tasks that may use {name} at the same time")


def _triton(settings: Settings) -> Service:
    folder = settings.local_dir / "triton"
    for needed in (folder, settings.model_repository):
        needed.mkdir(parents=True, exist_ok=True)
    # The server starts its models by a shell and does not quote: no blank may be in these two paths.
    service = triton.service(
        interpreter=settings.environments_dir / "triton" / "bin" / "python",
        repository=plain(settings.model_repository),
        ports=triton.Ports(settings.triton_http_port, settings.triton_grpc_port, settings.triton_metrics_port),
        run_folder=plain(folder),
        log=log_folder(settings) / "triton.log",
    )
    return replace(service, url=settings.kserve_url)


def _elasticsearch(settings: Settings) -> Service:
    return elasticsearch.service(
        elasticsearch.install(settings),
        settings.local_dir / "elasticsearch" / "node",
        http_port=settings.es_http_port,
        transport_port=settings.es_transport_port,
        log=log_folder(settings) / "elasticsearch.log",
        heap_mb=settings.es_heap_mb,
    )


def _port_fields() -> list[str]:
    return [name for name in Settings.model_fields if name.endswith("_port")]


def _check_machine(settings: Settings) -> None:
    system = f"{platform.system()} {platform.machine()}"
    if system != "Linux x86_64":
        msg = f"The local stack runs on Linux x86-64, and this is {system}. Use docker-compose.yaml there."
        raise SetupError(msg)
    settings.local_dir.mkdir(parents=True, exist_ok=True)
    free = shutil.disk_usage(settings.local_dir).free
    if free < MINIMUM_FREE:
        msg = f"{settings.local_dir} has {free / 1e9:.1f} GB free, and the stack needs 1 GB or more. Free some space."
        raise SetupError(msg)
