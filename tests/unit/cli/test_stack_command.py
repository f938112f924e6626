"""`embsearch stack …` while no stack is up."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from typer.testing import CliRunner, Result

from include.cli.stack import app
from include.local_stack import access
from include.local_stack.lifecycle import change
from include.local_stack.members import mark
from include.settings import get_settings


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, bare_settings: None, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("EMBSEARCH_LOCAL_DIR", str(tmp_path / "local"))
    monkeypatch.setenv("EMBSEARCH_LOG_DIR", str(tmp_path / "logs"))
    get_settings.cache_clear()
    return tmp_path / "local"


def run(*arguments: str) -> Result:
    return CliRunner().invoke(app, list(arguments))


def test_status_of_a_stack_that_is_down_fails_and_says_how_to_start_it() -> None:
    result = run("status")
    assert result.exit_code == 1
    assert "make up" in result.output


SERVER = """
import socket, time
with socket.create_server(("127.0.0.1", 0)) as server:
    print(server.getsockname()[1], flush=True)
    time.sleep(300)
"""


def test_status_tells_of_processes_that_a_killed_supervisor_left_and_down_ends_them(folder: Path) -> None:
    environment = {**os.environ, **mark(folder / "run")}
    left = subprocess.Popen([sys.executable, "-c", SERVER], env=environment, stdout=subprocess.PIPE, text=True)
    assert left.stdout is not None
    port = left.stdout.readline().strip()
    result = run("status")
    assert result.exit_code == 1
    row = next(line for line in result.output.splitlines() if str(left.pid) in line)
    assert row.split()[-2:] == [str(left.pid), port]
    assert "The stack is not up: its supervisor does not answer. 1 of its processes are still there" in result.output
    assert "The stack is down" not in result.output
    assert "Stopped 1 processes." in run("down").output
    left.wait(10)
    assert "The stack is down" in run("status").output


def test_the_supervisors_log_is_among_the_logs(folder: Path) -> None:
    for name in ("logs/triton.log", "run/supervisord.log"):
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).touch()
    assert "there are: triton, supervisord" in run("logs", "nosuch").output


def test_down_may_be_called_when_nothing_runs() -> None:
    result = run("down")
    assert result.exit_code == 0
    assert "Nothing was running" in result.output


def test_down_while_another_starts_the_stack_can_be_tried_again(folder: Path) -> None:
    with change(folder / "run", "starting the stack"):
        result = run("down")
    assert result.exit_code == 75
    assert "starting the stack" in result.output


@pytest.fixture
def outside(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """In place of ``/var/lib/embsearch``, whoever runs the test."""
    monkeypatch.setattr(access, "OUTSIDE", tmp_path / "outside")
    monkeypatch.setattr(access, "unprivileged_uid", lambda: access.UNPRIVILEGED_UID)
    return tmp_path / "outside"


SERVERS = ("elasticsearch", "elasticsearch/node", "mariadb", "mariadb/node")


def test_clean_removes_what_the_servers_of_root_keep_outside_and_nothing_of_other_projects(
    folder: Path, outside: Path
) -> None:
    ours = [access.outside(folder / name) for name in SERVERS]
    theirs = access.outside(folder.parent / "another" / "mariadb" / "node")
    for place in (*ours, theirs):
        (place / "data").mkdir(parents=True)
    output = run("clean").output
    assert list(outside.iterdir()) == [theirs]
    assert output.count("Removed ") == len(SERVERS)
    shutil.rmtree(theirs)
    (ours[0] / "data").mkdir(parents=True)
    assert run("clean").exit_code == 0
    assert not outside.exists()
    assert run("clean").exit_code == 0


def test_clean_removes_nothing_under_a_server_that_runs(folder: Path, outside: Path) -> None:
    place = access.outside(folder / "mariadb" / "node")
    place.mkdir(parents=True)
    environment = {**os.environ, **mark(folder / "run")}
    server = subprocess.Popen([sys.executable, "-c", SERVER], env=environment, stdout=subprocess.PIPE, text=True)
    assert server.stdout is not None
    server.stdout.readline()
    result = run("clean")
    server.kill()
    server.wait(10)
    assert result.exit_code == 75
    assert "make down" in result.output
    assert place.is_dir()


def test_logs_of_an_unknown_service_name_those_that_there_are(folder: Path) -> None:
    (folder / "logs").mkdir(parents=True)
    (folder / "logs" / "triton.log").touch()
    result = run("logs", "tritn")
    assert result.exit_code == 1
    assert "there are: triton" in result.output
