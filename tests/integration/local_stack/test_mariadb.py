"""The embedded MariaDB: installed once, data kept, nothing left behind, nobody in without a password."""

from __future__ import annotations

import errno
import os
import shutil
import subprocess
from pathlib import Path
from typing import IO

import psutil
import pymysql
import pytest

from include.errors import SetupError
from include.local_stack import access, process
from include.local_stack import mariadb as embedded
from include.local_stack.ports import free_ports
from include.settings import Settings
from tests.integration.elasticsearch_server import open_folder
from tests.integration.mariadb_server import PASSWORDS, MariadbServer


def rows(server: MariadbServer) -> int:
    with pymysql.connect(
        host="127.0.0.1", port=server.port, user=embedded.READER, password=PASSWORDS[embedded.READER], database="music"
    ) as connection:
        with connection.cursor() as cursor:
            cursor.execute("SELECT COUNT(*) FROM kept")
            ((count,),) = cursor.fetchall()
        return int(count)


def test_what_was_committed_survives_a_kill_and_a_new_port_and_no_process_does(mariadb_distribution: Path) -> None:
    with open_folder() as folder:
        server = MariadbServer.at(folder, mariadb_distribution)
        with server.running():
            server.tell("CREATE TABLE kept (a INT)", database="music")
            server.tell("INSERT INTO kept VALUES (1)", database="music")
            server.kill()
        again = MariadbServer.at(folder, mariadb_distribution)
        with again.running():
            assert again.port != server.port
            assert rows(again) == 1
            started = psutil.Process(again.pid).children(recursive=True)
            assert started
            listening = [c.laddr for p in started for c in p.net_connections("inet")]
            assert {(address, port) for address, port in listening} == {("127.0.0.1", again.port)}
        assert not [found for found in started if found.is_running()]


@pytest.mark.parametrize("user", ["root", "", "mariadb.sys"])
def test_nobody_gets_in_over_the_network_without_a_password(mariadb: MariadbServer, user: str) -> None:
    with pytest.raises(pymysql.err.OperationalError, match="Access denied"):
        pymysql.connect(host="127.0.0.1", port=mariadb.port, user=user)


def test_a_password_that_changed_is_the_new_one_at_the_next_start(mariadb_distribution: Path) -> None:
    with open_folder() as folder:
        server = MariadbServer.at(folder, mariadb_distribution)
        with server.running():
            pass
        other = {embedded.READER: "changed", embedded.OWNER: "too"}
        service = embedded.service(
            mariadb_distribution, folder / "node", port=server.port, users=other, log=folder / "mariadb.log"
        )
        with process.running(service), pytest.raises(pymysql.err.OperationalError, match="Access denied"):
            server.tell("SELECT 1")
        assert "changed" not in (folder / "mariadb.log").read_text()


def test_it_runs_in_a_closed_folder_with_a_strange_name(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """``tmp_path`` is open to its owner alone, as a clone in ``/root`` is."""
    with open_folder() as folder:
        outside = folder / "a b é登"
        monkeypatch.setattr(access, "OUTSIDE", outside)
        closed = tmp_path / "a clone é登"
        closed.mkdir(mode=0o700)
        settings = Settings(local_dir=closed / ".local", cache_dir=Settings().cache_folder)
        distribution = embedded.install(settings)
        assert distribution.is_relative_to(outside if os.geteuid() == 0 else closed)
        service = embedded.service(
            distribution, settings.local_dir / "node", port=free_ports(1)[0], users=embedded.logins(settings),
            log=settings.local_dir / "mariadb.log",
        )  # fmt: skip
        with process.running(service):
            assert service.ready()
        assert embedded.install(settings) == distribution


def test_a_data_folder_that_was_half_made_is_made_anew(mariadb_distribution: Path) -> None:
    with open_folder() as folder:
        half = folder / "node" / "data.half"
        half.mkdir(parents=True)
        (half / "ibdata1").write_text("torn")
        with MariadbServer.at(folder, mariadb_distribution).running() as server:
            assert server.tell("SELECT 1") == 1
        assert not half.exists()


def test_a_data_folder_that_cannot_be_made_is_told_with_the_end_of_the_log(
    mariadb_distribution: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(embedded, "_system_tables", lambda _distribution: b"NO SQL;\n")
    with (
        open_folder() as folder,
        pytest.raises(
            SetupError, match=r"(?s)cannot make its data folder .*data \(status 1\).*You have an error in your"
        ),
    ):
        MariadbServer.at(folder, mariadb_distribution)


def test_a_full_disk_is_told_with_how_much_it_takes_and_nothing_half_unpacked_stays(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    def copy(_source: IO[bytes], target: IO[bytes]) -> None:
        target.write(b"half")
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr(shutil, "copyfileobj", copy)
    monkeypatch.setattr(access, "OUTSIDE", tmp_path / "outside")
    settings = Settings(local_dir=tmp_path / "local", cache_dir=Settings().cache_folder)
    with pytest.raises(SetupError, match=r"Cannot unpack .*: No space left on device\. It takes 320 MB there"):
        embedded.install(settings)
    assert not list(tmp_path.rglob("mariadb-1*"))


def test_no_password_is_in_the_list_of_processes(mariadb: MariadbServer) -> None:
    lines = subprocess.run(["ps", "axww", "-o", "args"], capture_output=True, text=True, check=True).stdout
    assert f"--port={mariadb.port}" in lines
    assert not [password for password in PASSWORDS.values() if password in lines]
