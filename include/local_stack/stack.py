"""The local stack of this project: which services it has, what they need installed, and where their users find them."""

from __future__ import annotations

import logging
import os
import platform
import shutil
from dataclasses import replace
from pathlib import Path

from include.airflow_api import AirflowApi
from include.errors import Busy, SetupError
from include.local_stack import access, airflow, elasticsearch, environments, lifecycle, mariadb, members, redis, triton
from include.local_stack.lifecycle import LeftOver, ServiceStatus
from include.local_stack.paths import plain
from include.local_stack.ports import check_ports
from include.local_stack.process import write_private
from include.local_stack.served import (
    env_file,
    is_ours,
    port_needs,
    secrets_file,
    served_settings,
    task_environment,
    with_logins,
)
from include.local_stack.service import Service
from include.local_stack.supervisor import Supervisor, log_path
from include.settings import Settings, get_settings

logger = logging.getLogger(__name__)

MINIMUM_FREE = 10**9  # bytes; below that Elasticsearch stops writing


def up(settings: Settings) -> list[ServiceStatus]:
    """Install what is missing, start what does not run, wait until all is ready; from any state, and again at any time.

    Where the services are is written to ``stack.env``, and how to log in to ``secrets.env``, which later processes read
    their settings from. On failure or interruption what this call started is stopped.

    Raises:
        SetupError: the machine lacks something: a port, disk space, a package; or a service does not start.
        Busy: another process is starting or stopping the stack.
    """
    _check_machine(settings)
    folder = run_folder(settings)
    with lifecycle.change(folder, "starting the stack"):
        lifecycle.recover(folder)
        settings = served_settings(settings)
        check_ports(port_needs(settings), ours=[process.pid for process in members.members(folder)])
        settings = with_logins(settings)
        install(settings)
        write_private(settings.local_dir / "stack.env", env_file(settings))
        write_private(settings.local_dir / "secrets.env", secrets_file(settings))
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


def clean(settings: Settings) -> list[Path]:
    """Remove what servers keep outside of ``local_dir`` because root's is closed to their user; return what it was.

    Raises:
        Busy: the stack is up, or another process is starting or stopping it.
    """
    folder = run_folder(settings)
    with lifecycle.change(folder, "removing the stack's data"):
        if members.members(folder):
            msg = f"Servers of {settings.local_dir} still run, so their data are not removed. Stop them: make down."
            raise Busy(msg)
        kept = [
            each for node in (_elasticsearch_node(settings), _mariadb_node(settings)) for each in (node.parent, node)
        ]
        return [removed for each in kept if (removed := access.remove_outside(each))]


def status(settings: Settings) -> list[ServiceStatus]:
    """How each service is now; an empty list when no supervisor answers: see :func:`left_over`."""
    if not Supervisor(run_folder(settings)).is_running():
        return []
    return lifecycle.status(run_folder(settings), services(with_logins(served_settings(settings))))


def left_over(settings: Settings) -> list[LeftOver]:
    """The processes of a stack whose supervisor was killed, or does not answer; empty when the stack is down."""
    return lifecycle.left_over(run_folder(settings))


def services(settings: Settings) -> list[Service]:
    """The services in the order of starting, without those that the user has elsewhere; what they need is installed."""
    makers = {"kserve_url": _triton, "es_url": _elasticsearch, "redis_url": _redis}
    ours = [make(settings) for url, make in makers.items() if is_ours(settings, url)]
    if _has_mariadb(settings):
        ours.append(_mariadb(settings))
    return [*ours, *airflow.services(local_airflow(settings))]


def install(settings: Settings) -> None:
    """Bring what the services need: packages, servers, databases."""
    if is_ours(settings, "kserve_url"):
        environments.ensure(settings, "triton")
    if is_ours(settings, "es_url"):
        elasticsearch.install(settings)
    if _has_mariadb(settings):
        mariadb.install(settings)
    airflow.prepare(local_airflow(settings))


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
        for name in ("triton", "qdrant", "elasticsearch", "mysql", "redis"):
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
        _elasticsearch_node(settings),
        http_port=settings.es_http_port,
        transport_port=settings.es_transport_port,
        log=log_folder(settings) / "elasticsearch.log",
        heap_mb=settings.es_heap_mb,
    )


def _elasticsearch_node(settings: Settings) -> Path:
    return settings.local_dir / "elasticsearch" / "node"


def _has_mariadb(settings: Settings) -> bool:
    """One server has all databases of the stack."""
    return any(is_ours(settings, url) for url in ("mysql_url", "backup_mysql_url", "images_mysql_url"))


def _mariadb(settings: Settings) -> Service:
    return mariadb.service(
        mariadb.install(settings),
        _mariadb_node(settings),
        port=settings.mariadb_port,
        users=mariadb.logins(settings),
        log=log_folder(settings) / "mariadb.log",
    )


def _mariadb_node(settings: Settings) -> Path:
    return settings.local_dir / "mariadb" / "node"


def _redis(settings: Settings) -> Service:
    password = settings.redis_password
    return redis.service(
        settings.local_dir / "redis",
        port=settings.redis_port,
        password=password.get_secret_value() if password else "",
        log=log_folder(settings) / "redis.log",
        maxmemory_mb=settings.redis_maxmemory_mb,
    )


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
