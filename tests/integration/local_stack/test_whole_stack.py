"""The whole stack as `make up` brings it: the real servers, from nothing to killed to up again."""

from __future__ import annotations

import os
import signal
import time
from pathlib import Path

import httpx
import psutil
import pytest

from include.local_stack import members, stack
from include.local_stack.ports import free_ports
from include.settings import Settings

SERVICES = [
    "triton",
    "elasticsearch",
    "airflow-api-server",
    "airflow-scheduler",
    "airflow-dag-processor",
    "airflow-triggerer",
]


def gone(run_folder: Path, seconds: float = 60) -> bool:
    deadline = time.monotonic() + seconds
    while members.members(run_folder) and time.monotonic() < deadline:
        time.sleep(0.1)
    return not members.members(run_folder)


def listening(run_folder: Path) -> set[tuple[str, int]]:
    connections = [c for process in members.members(run_folder) for c in process.net_connections("inet")]
    return {(c.laddr.ip, c.laddr.port) for c in connections if c.status == psutil.CONN_LISTEN}


def test_the_stack_comes_up_survives_a_kill_and_leaves_nothing(own_settings: Settings) -> None:
    run_folder = stack.run_folder(own_settings)
    try:
        assert stack.status(own_settings) == []
        first = stack.up(own_settings)
        assert [(service.name, service.ready) for service in first] == [(name, True) for name in SERVICES]
        check_what_users_see(own_settings)

        again = stack.up(own_settings)
        assert [service.pid for service in again] == [service.pid for service in first]

        os.kill(int((run_folder / "supervisord.pid").read_text()), signal.SIGKILL)
        assert gone(run_folder), "orphans are left"
        assert stack.status(own_settings) == []
        assert all(service.ready for service in stack.up(own_settings))
    finally:
        stack.down(own_settings)
    assert not members.members(run_folder)
    assert stack.down(own_settings) == 0


def check_what_users_see(settings: Settings) -> None:
    told = Settings(_env_file=settings.local_dir / "stack.env")
    assert httpx.get(f"{told.kserve_url}/v2/health/ready", trust_env=False).status_code == 200
    assert httpx.get(f"{told.es_url}/_cluster/health", trust_env=False).json()["status"] in ("green", "yellow")
    with stack.airflow_api(settings) as api:
        assert {"triton", "qdrant", "elasticsearch"} <= set(api.pools())
        api.wait_for_dags({"product_linking"})
    ports = {need.port for need in stack.port_needs(settings)}
    found = listening(stack.run_folder(settings))
    assert {port for _address, port in found} == ports
    assert {address for address, _port in found} <= {"127.0.0.1", "::ffff:127.0.0.1"}


def test_a_taken_port_is_said_before_anything_starts(own_settings: Settings) -> None:
    import socket

    from include.errors import SetupError

    with socket.socket() as listener:
        listener.bind(("127.0.0.1", free_ports(1)[0]))
        listener.listen()
        settings = own_settings.model_copy(update={"es_http_port": listener.getsockname()[1]})
        with pytest.raises(SetupError, match="EMBSEARCH_ES_HTTP_PORT="):
            stack.up(settings)
    assert not members.members(stack.run_folder(settings))
    assert not (settings.local_dir / "stack.env").exists()
