"""The server of its own: starts over what there is, follows new indexes, ends cleanly."""

from __future__ import annotations

import signal
import socket
import subprocess
import time
from contextlib import ExitStack
from functools import partial
from pathlib import Path
from typing import Any

import httpx
import pytest
from pydantic import SecretStr

from include.local_stack.ports import free_ports
from tests.integration.images.served import TOKEN, ServedImages
from tests.integration.images.server_process import ServerProcess, begun, running
from tests.integration.reader import reading

DATABASE_DOWN = {"images_mysql_url": "mysql://127.0.0.1:1/embsearch_images"}


def half_an_upload(server: ServerProcess) -> socket.socket:
    """A connection on which two of three megabytes of an upload have come: more than is kept in memory."""
    form = b'--x\r\nContent-Disposition: form-data; name="file"; filename="a.jpg"\r\n\r\n'
    head = (
        f"POST /similarity HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer {TOKEN}\r\n"
        "Content-Type: multipart/form-data; boundary=x\r\nContent-Length: 3000000\r\n\r\n"
    )
    connection = socket.create_connection(("127.0.0.1", server.port), timeout=30)
    connection.sendall(head.encode() + form + b"x" * 2_000_000)
    time.sleep(0.5)
    return connection


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT, signal.SIGKILL])
def test_however_it_ends_no_temporary_file_is_left(
    images: ServedImages, tmp_path: Path, number: signal.Signals
) -> None:
    settings = images.settings.model_copy(update={"images_body_seconds": 2.0})
    with running(settings, tmp_path) as server, half_an_upload(server):
        assert list(server.temporary.iterdir()) == []
        status = server.end(number)
        assert status == (-signal.SIGKILL if number == signal.SIGKILL else 0), server.log.read_text()
        assert list(server.temporary.iterdir()) == []
        assert "Traceback" not in server.log.read_text()


def test_an_upload_that_stops_is_given_up(images: ServedImages, tmp_path: Path) -> None:
    settings = images.settings.model_copy(update={"images_body_seconds": 1.0})
    with running(settings, tmp_path) as server, half_an_upload(server) as connection:
        assert b" 408 " in connection.recv(1000).splitlines()[0]


def test_no_search_fails_while_ten_new_versions_are_promoted(images: ServedImages, tmp_path: Path) -> None:
    own = ServedImages(images.settings.model_copy(update={"state_dir": tmp_path / "state"}), images.pictures)
    versions = [own.build("defect", "0")["version"]]
    with running(own.settings, tmp_path) as server, ExitStack() as clients:

        def search(client: httpx.Client) -> tuple[int, str]:
            answer = client.post("/similarity", json={"path": str(own.some("scratch"))})
            told = answer.json()
            if answer.status_code == 200:
                assert {each["version"] for each in told["results"]} == {told["version"]}
            return answer.status_code, told.get("version", "")

        people = [partial(search, clients.enter_context(server.client())) for _ in range(2)]
        with reading(*people) as searches:
            versions += [own.build("defect", str(number), force=True)["version"] for number in range(1, 11)]
            searches.wait_for(lambda: (200, versions[-1]) in searches.answered, seconds=30)
    assert len(set(versions)) == 11
    assert set(searches.answered) <= {(200, version) for version in versions}


def test_it_starts_over_the_last_saved_index_while_the_database_is_down(images: ServedImages, tmp_path: Path) -> None:
    settings = images.settings.model_copy(update={"images_rebuild_at_start": True, **DATABASE_DOWN})
    with running(settings, tmp_path) as server, server.client() as client:
        assert client.get("/health").json()["status"] == "degraded"
        assert client.post("/similarity", json={"path": str(images.some("dent"))}).status_code == 200
    assert server.log.read_text().count("their last saved index is served") == 2


def test_whatever_fails_at_the_start_the_last_saved_index_is_served(images: ServedImages, tmp_path: Path) -> None:
    """A database that refuses the login is no less down than one that does not answer."""
    changes = {"images_rebuild_at_start": True, "images_mysql_password": SecretStr("wrong")}
    with running(images.settings.model_copy(update=changes), tmp_path) as server, server.client() as client:
        assert client.post("/similarity", json={"path": str(images.some("dent"))}).status_code == 200
    assert "their last saved index is served" in server.log.read_text()


def test_a_caller_is_not_another_by_saying_so(images: ServedImages, tmp_path: Path) -> None:
    settings = images.settings.model_copy(update={"images_requests_per_minute": 30})
    with running(settings, tmp_path) as server, server.client() as client:
        statuses = [
            client.get("/health", headers={"X-Forwarded-For": f"192.0.2.{number}"}).status_code for number in range(9)
        ]
    assert statuses.count(429) >= 2


def test_it_builds_at_the_start_when_told_to(images: ServedImages, tmp_path: Path) -> None:
    changes = {"images_rebuild_at_start": True, "state_dir": tmp_path / "state"}
    with running(images.settings.model_copy(update=changes), tmp_path) as server, server.client() as client:
        indexes = client.get("/health").json()["indexes"]
        assert {name: each["status"] for name, each in indexes.items()} == {"v2_normal": "ok", "v2_defect": "ok"}


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"images_rebuild_at_start": True, **DATABASE_DOWN}, "There is no index of"),
        ({}, "There is no index of"),
        ({"images_token": None}, "EMBSEARCH_IMAGES_TOKEN"),
    ],
    ids=["neither database nor index", "no index", "no token"],
)
def test_it_refuses_to_start_with_nothing_to_serve(
    images: ServedImages, tmp_path: Path, changes: dict[str, Any], said: str
) -> None:
    settings = images.settings.model_copy(update={"state_dir": tmp_path / "state", **changes})
    process = begun(settings, tmp_path, free_ports(1)[0])
    try:
        assert process.wait(timeout=120) == 1
    except subprocess.TimeoutExpired:
        process.kill()
        raise
    log = (tmp_path / "serve.log").read_text()
    assert said in log
    assert "Traceback" not in log


def test_a_port_that_is_taken_is_told_in_a_sentence_and_nothing_is_announced(
    images: ServedImages, tmp_path: Path
) -> None:
    with socket.create_server(("127.0.0.1", 0)) as other:
        port = other.getsockname()[1]
        process = begun(images.settings, tmp_path, port)
        try:
            assert process.wait(timeout=120) == 1
        except subprocess.TimeoutExpired:
            process.kill()
            raise
    assert (tmp_path / "serve.log").read_text().splitlines() == [
        f"images-serve: Port {port} of 127.0.0.1 is in use. End what listens there, or choose another by --port."
    ]


def test_its_address_is_announced_once_it_answers(images: ServedImages, tmp_path: Path) -> None:
    with running(images.settings, tmp_path) as server:
        said = server.log.read_text()
    assert said.splitlines()[-1] == f"Image search at {server.url}/docs"


def test_it_says_nothing_of_itself_to_strangers(images: ServedImages, tmp_path: Path) -> None:
    with running(images.settings, tmp_path) as server:
        answer = httpx.get(f"{server.url}/health")
        assert answer.status_code == 401
        assert "server" not in answer.headers
