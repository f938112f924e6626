"""The supervised life of a stack, with small servers in the place of the real ones."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
import urllib.request
from collections.abc import Callable, Iterator
from pathlib import Path

import psutil
import pytest

from include.errors import Busy, SetupError
from include.local_stack import lifecycle, members
from include.local_stack.ports import free_ports, is_free
from include.local_stack.service import Service
from include.local_stack.supervisor import Supervisor
from include.settings import PROJECT_ROOT

# A server with a child in a process group of its own, which ignores SIGTERM: what task runners and stubs may be like.
SERVER = """
import http.server, os, signal, sys
if os.fork() == 0:
    os.setsid()
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
    while True:
        signal.pause()
class Handler(http.server.BaseHTTPRequestHandler):
    def do_GET(self):
        self.send_response(200); self.end_headers(); self.wfile.write(os.environ["ANSWER"].encode())
http.server.HTTPServer(("127.0.0.1", int(sys.argv[1])), Handler).serve_forever()
"""


def answer(port: int) -> str | None:
    try:
        with urllib.request.urlopen(f"http://127.0.0.1:{port}/", timeout=2) as response:
            return str(response.read().decode())
    except OSError:
        return None


def server(folder: Path, name: str, port: int, *, said: str = "hello", code: str = SERVER) -> Service:
    return Service(
        name=name,
        command=(sys.executable, "-c", code, str(port)),
        ready=lambda: answer(port) is not None,
        ports=(port,),
        log=folder / "logs" / f"{name}.log",
        env={"ANSWER": said},
        start_seconds=20,
        stop_seconds=3,
        url=f"http://127.0.0.1:{port}",
    )


def eventually(condition: Callable[[], bool], seconds: float = 20) -> bool:
    deadline = time.monotonic() + seconds
    while not condition() and time.monotonic() < deadline:
        time.sleep(0.05)
    return condition()


@pytest.fixture
def run_folder(tmp_path: Path) -> Iterator[Path]:
    folder = tmp_path / "a folder's name, with spaces" / "run"
    yield folder
    lifecycle.stop_all(folder)


@pytest.fixture
def services(run_folder: Path) -> list[Service]:
    first, second = free_ports(2)
    return [server(run_folder, "first", first, said='"quoted" $HOME %s ; #'), server(run_folder, "second", second)]


def test_up_starts_every_service_with_its_environment(run_folder: Path, services: list[Service]) -> None:
    found = lifecycle.start_services(run_folder, services)
    assert [(status.name, status.state, status.ready) for status in found] == [
        ("first", "running", True),
        ("second", "running", True),
    ]
    assert answer(services[0].ports[0]) == '"quoted" $HOME %s ; #'


def test_up_again_leaves_running_services_alone(run_folder: Path, services: list[Service]) -> None:
    first = lifecycle.start_services(run_folder, services)
    second = lifecycle.start_services(run_folder, services)
    assert [status.pid for status in first] == [status.pid for status in second]


def test_up_restarts_only_the_service_whose_definition_changed(run_folder: Path, services: list[Service]) -> None:
    before = lifecycle.start_services(run_folder, services)
    changed = [services[0], server(run_folder, "second", services[1].ports[0], said="changed")]
    after = lifecycle.start_services(run_folder, changed)
    assert after[0].pid == before[0].pid
    assert answer(services[1].ports[0]) == "changed"


def test_a_server_that_dies_is_started_again(run_folder: Path, services: list[Service]) -> None:
    before = lifecycle.start_services(run_folder, services)
    psutil.Process(before[0].pid).children()[0].kill()
    assert eventually(lambda: lifecycle.status(run_folder, services)[0].pid not in (0, before[0].pid))
    assert eventually(lambda: answer(services[0].ports[0]) is not None)


def test_down_leaves_no_process_and_may_be_repeated(run_folder: Path, services: list[Service]) -> None:
    lifecycle.start_services(run_folder, services)
    running = members.members(run_folder)
    assert len(running) == 1 + 3 * len(services)  # the supervisor; guard, server and the server's child each
    lifecycle.stop_all(run_folder)
    assert not any(process.is_running() for process in running)
    assert lifecycle.stop_all(run_folder) == 0
    assert all(is_free(port) for service in services for port in service.ports)


def test_a_killed_supervisor_leaves_no_orphan(run_folder: Path, services: list[Service]) -> None:
    lifecycle.start_services(run_folder, services)
    supervisor = int((run_folder / "supervisord.pid").read_text())
    running = members.members(run_folder)
    os.kill(supervisor, signal.SIGKILL)
    assert eventually(lambda: not members.members(run_folder))
    assert len(running) == 7


def test_up_recovers_when_supervisor_and_guards_were_killed(
    run_folder: Path, services: list[Service], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(members, "TERM_SECONDS", 1.0)  # those that ignore it would take all of it
    before = lifecycle.start_services(run_folder, services)
    for status in before:  # no guard is to see the supervisor's end before its own
        os.kill(status.pid, signal.SIGSTOP)
    os.kill(int((run_folder / "supervisord.pid").read_text()), signal.SIGKILL)
    for status in before:  # nobody is left to clean up: the children that ignore SIGTERM stay
        os.kill(status.pid, signal.SIGKILL)
    assert len(lifecycle.left_over(run_folder)) >= len(services)
    lifecycle.recover(run_folder)
    assert not lifecycle.left_over(run_folder)
    after = lifecycle.start_services(run_folder, services)
    assert all(status.ready for status in after)


def test_up_recovers_from_a_lost_control_socket(run_folder: Path, services: list[Service]) -> None:
    from include.local_stack.supervisor import socket_path

    lifecycle.start_services(run_folder, services)
    assert lifecycle.left_over(run_folder) == []  # it is supervised
    socket_path(run_folder).unlink()
    left = lifecycle.left_over(run_folder)
    assert len(left) == 7
    assert {port for process in left for port in process.ports} == {service.ports[0] for service in services}
    lifecycle.recover(run_folder)
    assert all(status.ready for status in lifecycle.start_services(run_folder, services))
    assert len(members.members(run_folder)) == 7


def test_a_service_that_ends_while_starting_stops_the_others_and_shows_its_last_words(
    run_folder: Path, services: list[Service]
) -> None:
    code = "import sys, time; time.sleep(2); sys.exit('no licence')"
    broken = server(run_folder, "broken", free_ports(1)[0], code=code)
    with pytest.raises(SetupError, match=r"broken ended while starting(.|\n)*no licence"):
        lifecycle.start_services(run_folder, [*services, broken])
    assert not members.members(run_folder)


def test_a_failed_start_keeps_services_that_ran_before(run_folder: Path, services: list[Service]) -> None:
    before = lifecycle.start_services(run_folder, services)
    broken = server(run_folder, "broken", free_ports(1)[0], code="import sys; sys.exit('no licence')")
    with pytest.raises(SetupError, match="no licence"):
        lifecycle.start_services(run_folder, [*services, broken])
    assert [status.pid for status in lifecycle.status(run_folder, services)] == [status.pid for status in before]


def test_ctrl_c_while_starting_stops_what_was_started(run_folder: Path, tmp_path: Path) -> None:
    port = free_ports(1)[0]
    script = tmp_path / "up.py"
    script.write_text(
        "import sys; from pathlib import Path; from include.local_stack import lifecycle;"
        "from include.local_stack.service import Service;"
        f"folder = Path({str(run_folder)!r});"
        f"slow = Service('slow', (sys.executable, '-c', {SERVER!r}, '{port}'), lambda: False, (), folder / 'slow.log',"
        "dict(ANSWER=''), start_seconds=60);"
        "lifecycle.start_services(folder, [slow])"
    )
    up = subprocess.Popen([sys.executable, script], env={**os.environ, "PYTHONPATH": str(PROJECT_ROOT)})
    assert eventually(lambda: answer(port) is not None)
    up.send_signal(signal.SIGINT)
    assert up.wait(30) != 0
    assert not members.members(run_folder)


def test_two_at_once_do_not_fight(run_folder: Path) -> None:
    with (
        lifecycle.change(run_folder, "embsearch stack up"),
        pytest.raises(Busy, match="embsearch stack up"),
        lifecycle.change(run_folder, "embsearch stack down"),
    ):
        pass


def test_secrets_of_services_are_private(run_folder: Path, services: list[Service]) -> None:
    lifecycle.start_services(run_folder, services)
    secret = run_folder / "first.program.json"
    assert json.loads(secret.read_text())["env"]["ANSWER"] == services[0].env["ANSWER"]
    assert secret.stat().st_mode & 0o077 == 0
    assert Supervisor(run_folder).is_running()
