"""Which files and hosts a caller cannot reach, and what of the inside nobody is shown."""

from __future__ import annotations

import tempfile
import threading
import time
from pathlib import Path
from typing import Any

import pytest
from fastapi.testclient import TestClient

from include.images.api.serving import Serving
from include.objects.store import ObjectStore
from tests.integration.images.served import ServedImages
from tests.integration.images.uploads import png, upload
from tests.integration.s3_server import misbehaving


@pytest.mark.parametrize(
    "path",
    [
        "/etc/passwd", "/proc/self/environ", "/proc/self/fd/0", "/dev/zero", "/dev/stdin", "{root}/../models.yaml",
        "{root}/%2e%2e/models.yaml", "{root}x", "{root}/out.jpg", "file:///etc/passwd", "file:///etc/hosts%00.jpg",
        "{root}/..\\..\\etc\\passwd", "//etc/passwd", "{root}/\u2025/models.yaml",
    ],
)  # fmt: skip
@pytest.mark.parametrize("field", ["path", "storage_url"])
def test_no_file_outside_of_the_allowed_folders_is_read(
    images: ServedImages, client: TestClient, field: str, path: str
) -> None:
    link = images.pictures / "out.jpg"
    if not link.is_symlink():
        link.symlink_to("/etc/passwd")
    answer = client.post("/similarity", json={field: path.format(root=images.pictures)})
    assert answer.status_code in (400, 403, 404)
    assert "root:" not in answer.text


@pytest.mark.parametrize(
    "url",
    [
        "http://127.0.0.1:{port}/x", "https://127.0.0.1:{port}/x", "http://169.254.169.254/latest/meta-data/",
        "http://[::1]:{port}/", "ftp://127.0.0.1:{port}/x", "gopher://127.0.0.1:{port}/_x", "s3://127.0.0.1:{port}/x",
        "s3://images@127.0.0.1:{port}/x", "//127.0.0.1:{port}/x", "s3://hidden/x", "s3://images/../hidden/x",
        "s3://images2/x", "s3://2130706433/x", "dict://127.0.0.1:{port}/x", "file://127.0.0.1:{port}/x",
    ],
)  # fmt: skip
def test_no_host_outside_of_the_allowed_stores_is_asked(images: ServedImages, client: TestClient, url: str) -> None:
    with misbehaving(lambda connection: connection.sendall(b"HTTP/1.1 200 OK\r\n\r\n")) as (inside, hits):
        asked = url.format(port=inside.rpartition(":")[2])
        for path, body in (
            ("/similarity", {"storage_url": asked}),
            ("/api/worker/image/register", {"storage_url": asked, "product_code": "P001"}),
        ):
            assert client.post(path, json=body).status_code in (400, 403)
        assert hits == []


def test_a_store_that_sends_inside_is_not_followed(images: ServedImages) -> None:
    with misbehaving(lambda connection: connection.sendall(b"HTTP/1.1 200 OK\r\n\r\nsecret")) as (inside, hits):
        there = f"HTTP/1.1 307 Moved\r\nLocation: {inside}/\r\nContent-Length: 0\r\n\r\n".encode()
        with (
            misbehaving(lambda connection: connection.sendall(there)) as (url, asked),
            images.client(images_s3_endpoint=url) as client,
        ):
            answer = client.post("/similarity", json={"storage_url": "s3://images/x.jpg"})
            assert answer.status_code >= 500
            assert "secret" not in answer.text
            assert asked
        assert hits == []


def test_no_temporary_file_ever_has_a_name(
    images: ServedImages, client: TestClient, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    seen: set[str] = set()
    done = threading.Event()

    def watch() -> None:
        while not done.is_set():
            seen.update(path.name for path in tmp_path.iterdir())
            time.sleep(0.001)

    watching = threading.Thread(target=watch)
    watching.start()
    noise = png(1200)  # 4 MB: more than is kept in memory
    url = ObjectStore.from_settings(images.settings).write("s3://images/noise.png", noise)
    try:
        assert upload(client, noise).status_code == 200
        assert upload(client, noise[:-100]).status_code == 422
        assert client.post("/similarity", json={"storage_url": url}).status_code == 200
    finally:
        done.set()
        watching.join()
    assert seen == set()


def test_a_fault_inside_shows_nothing_of_the_inside(images: ServedImages, monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(*_: Any, **__: Any) -> None:
        raise RuntimeError("password=hunter2 in /srv/app/secret.py")

    monkeypatch.setattr(Serving, "search", broken)
    with images.client() as client:
        answer = upload(client, png())
        assert answer.status_code == 500
        assert answer.json()["error"]["code"] == "internal"
        for inside in ("hunter2", "secret.py", "Traceback", "RuntimeError"):
            assert inside not in answer.text
        assert client.get("/health").status_code == 200


def test_a_wrong_key_of_the_store_is_not_told_to_callers(images: ServedImages) -> None:
    with (
        misbehaving(
            lambda connection: connection.sendall(
                b"HTTP/1.1 403 Forbidden\r\nContent-Length: 46\r\n\r\n<Error><Code>InvalidAccessKeyId</Code></Error>"
            )
        ) as (url, _),
        images.client(images_s3_endpoint=url) as client,
    ):
        answer = client.post("/similarity", json={"storage_url": "s3://images/x.jpg"})
        assert answer.status_code == 500
        assert url not in answer.text
        assert "AKIA" not in answer.text
