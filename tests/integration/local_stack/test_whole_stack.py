"""The whole stack as `make up` brings it: what it shows, what survives, and that nothing of it stays."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import time
from collections.abc import Callable

import httpx
import psutil
import pytest

from include.errors import SetupError
from include.local_stack import members, served, stack
from include.local_stack.airflow import USER
from include.local_stack.ports import free_ports
from include.settings import PROJECT_ROOT, Settings
from tests.integration.running_stack import RunningStack, environment

SERVICES = [
    "triton",
    "elasticsearch",
    "redis",
    "mariadb",
    "airflow-api-server",
    "airflow-scheduler",
    "airflow-dag-processor",
    "airflow-triggerer",
]


def eventually(condition: Callable[[], object], seconds: float = 60) -> bool:
    deadline = time.monotonic() + seconds
    while not condition() and time.monotonic() < deadline:
        time.sleep(0.1)
    return bool(condition())


def test_every_service_answers_where_later_commands_look_for_it(running_stack: RunningStack) -> None:
    told = Settings(_env_file=running_stack.settings.local_dir / "stack.env")
    assert httpx.get(f"{told.kserve_url}/v2/health/ready", trust_env=False).status_code == 200
    assert httpx.get(f"{told.es_url}/_cluster/health", trust_env=False).json()["status"] in ("green", "yellow")
    assert {"triton", "qdrant", "elasticsearch", "mysql", "redis"} <= set(running_stack.api.pools())
    running_stack.api.wait_for_dags({"product_linking"})


def listening_on(process: psutil.Process) -> list[tuple[str, int]]:
    try:
        return [c.laddr for c in process.net_connections("inet") if c.status == psutil.CONN_LISTEN]
    except psutil.NoSuchProcess:  # a short-lived one that has ended meanwhile
        return []


def test_it_listens_on_this_machine_only_and_on_its_ports_only(running_stack: RunningStack) -> None:
    processes = members.members(stack.run_folder(running_stack.settings))
    listening = [address for process in processes for address in listening_on(process)]
    assert {port for _address, port in listening} == {need.port for need in served.port_needs(running_stack.settings)}
    assert {address for address, _port in listening} <= {"127.0.0.1", "::ffff:127.0.0.1"}


def test_up_again_changes_nothing_and_status_shows_all_and_how_to_log_in(running_stack: RunningStack) -> None:
    before = stack.status(running_stack.settings)
    assert [(service.name, service.ready) for service in before] == [(name, True) for name in SERVICES]
    local = stack.local_airflow(running_stack.settings)
    for target in ("up", "status"):
        shown = running_stack.make(target)
        assert all(f" {service.name} " in shown and f" {service.pid} " in shown for service in before)
        assert f"Airflow: {local.url}  user: {USER}  password: {local.password}" in shown


def test_logs_follow_one_service_or_all_and_the_supervisor(running_stack: RunningStack) -> None:
    shown = running_stack.run(".local/venvs/airflow/bin/embsearch", "stack", "logs", "--no-follow")
    names = [line.split("/")[-1].removesuffix(".log <==") for line in shown.splitlines() if line.startswith("==> ")]
    assert {*SERVICES, "supervisord"} <= set(names)
    following = subprocess.Popen(
        ["make", "logs", "SERVICE=supervisord"], cwd=PROJECT_ROOT, env=environment(running_stack.settings),
        stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, text=True, start_new_session=True,
    )  # fmt: skip
    assert following.stdout is not None
    log = stack.run_folder(running_stack.settings) / "supervisord.log"
    assert following.stdout.readline() in log.read_text(encoding="utf-8").splitlines(keepends=True)
    assert following.poll() is None
    os.killpg(following.pid, signal.SIGINT)
    following.communicate(timeout=30)


def test_a_killed_supervisor_and_an_ended_demo_leave_nothing_and_up_starts_anew(running_stack: RunningStack) -> None:
    run_folder = stack.run_folder(running_stack.settings)
    os.kill(int((run_folder / "supervisord.pid").read_text()), signal.SIGKILL)
    assert eventually(lambda: not members.members(run_folder)), "orphans are left"
    assert "The stack is down" in running_stack.make("status", status=2)

    demo = subprocess.Popen(
        ["make", "demo"], cwd=PROJECT_ROOT, env=environment(running_stack.settings),
        stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, start_new_session=True,
    )  # fmt: skip
    assert eventually(lambda: len(members.members(run_folder)) > len(SERVICES))
    os.killpg(demo.pid, signal.SIGHUP)  # as a terminal does that is closed
    said, _ = demo.communicate(timeout=60)
    assert demo.returncode != 0
    assert "demo: interrupted. The same command goes on where this one stopped." in said
    assert not members.members(run_folder)

    running_stack.make("up")
    assert all(service.ready for service in stack.status(running_stack.settings))


def test_a_taken_port_is_said_before_anything_starts(own_settings: Settings) -> None:
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", free_ports(1)[0]))
        listener.listen()
        settings = own_settings.model_copy(update={"es_http_port": listener.getsockname()[1]})
        with pytest.raises(SetupError, match="EMBSEARCH_ES_HTTP_PORT="):
            stack.up(settings)
    assert not members.members(stack.run_folder(settings))
    assert not (settings.local_dir / "stack.env").exists()
