"""What a stranger, or a caller who means harm, cannot do."""

from __future__ import annotations

import io
import tempfile
import threading
import time
from pathlib import Path
from typing import Any

import pytest
from fastapi.testclient import TestClient
from PIL import Image
from pydantic import SecretStr

from include.errors import InputError
from include.images.api.access import by_token
from include.images.api.serving import Serving
from include.objects.store import ObjectStore
from include.settings import Settings
from tests.integration.images.served import TOKEN, ServedImages
from tests.integration.s3_server import misbehaving
from tests.unit.images.test_pictures import bomb

ROUTES = [
    ("POST", "/similarity"), ("POST", "/index/rebuild"), ("GET", "/index/rebuild/run_1"),
    ("POST", "/api/worker/image/register"), ("GET", "/health"),
]  # fmt: skip


def png(side: int = 30) -> bytes:
    buffer = io.BytesIO()
    Image.effect_noise((side, side), 80).convert("RGB").save(buffer, "PNG")
    return buffer.getvalue()


def upload(client: TestClient, data: bytes, name: str = "x.jpg") -> Any:
    return client.post("/similarity", files={"file": (name, data, "image/jpeg")})


# Who may ask


@pytest.mark.parametrize(("method", "path"), ROUTES)
@pytest.mark.parametrize(
    "login",
    [None, "Bearer ", "Bearer wrong-token-wrong-token", f"Basic {TOKEN}", TOKEN, f"Bearer {TOKEN}x", "Bearer ü"],
)
def test_without_the_token_nothing_is_answered(images: ServedImages, method: str, path: str, login: str | None) -> None:
    with images.client(token=None) as client:
        headers = {"authorization": login.encode()} if login else {}
        answer = client.request(method, path, headers=headers)
        assert answer.status_code == 401
        assert answer.json()["error"]["code"] == "unauthorized"


def test_an_upload_without_the_token_is_not_read(images: ServedImages) -> None:
    read = 0

    def pieces() -> Any:
        nonlocal read
        for _ in range(100):
            read += 1
            yield b"x" * 100_000

    with images.client(token=None) as client:
        kind = {"content-type": "multipart/form-data; boundary=x"}
        assert client.post("/similarity", content=pieces(), headers=kind).status_code == 401


def test_every_route_is_behind_the_login(images: ServedImages) -> None:
    """Also those that somebody adds later; only the description and its assets are open."""
    with images.client(token=None) as client:
        app: Any = client.app
        open_paths = {"/docs", "/openapi.json", "/docs/start.js", "/docs/assets"}
        paths = {path for route in app.routes if (path := getattr(route, "path", None)) and path not in open_paths}
        for path in paths:
            for method in ("GET", "POST"):
                status = client.request(method, path.replace("{run_id}", "x")).status_code
                assert status in (401, 405), path


@pytest.mark.parametrize("token", [None, "", "short"])
def test_a_server_without_a_good_token_does_not_start(token: str | None) -> None:
    with pytest.raises(InputError, match="EMBSEARCH_IMAGES_TOKEN"):
        by_token(Settings(_env_file=None, images_token=SecretStr(token) if token is not None else None))


def test_a_caller_who_asks_too_often_waits(images: ServedImages) -> None:
    with images.client(images_requests_per_minute=30) as client:
        statuses = [client.get("/health").status_code for _ in range(7)]
        assert statuses == [200] * 5 + [429] * 2
        assert int(client.get("/health").headers["retry-after"]) >= 1


def test_result_images_count_as_what_they_cost(images: ServedImages) -> None:
    asked = {"path": str(images.some("scratch")), "result_images": "base64"}
    with images.client(images_requests_per_minute=30) as client:
        assert client.post("/similarity", json=asked).status_code == 200
        refused = client.get("/health")
    assert refused.status_code == 429
    assert int(refused.headers["retry-after"]) > 10  # of a burst of five, one was taken for the request, 49 for images


def test_guessing_tokens_is_slowed(images: ServedImages) -> None:
    with images.client(token=None, images_requests_per_minute=30) as client:
        statuses = [client.get("/health", headers={"authorization": f"Bearer {n}"}).status_code for n in range(7)]
        assert statuses == [401] * 5 + [429] * 2


# Which files and hosts


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


# What is no picture


@pytest.mark.parametrize(
    ("data", "status"),
    [
        (b"", 422), (b"<svg onload=alert(1)>", 422), (b"GIF89a" + b"\0" * 50, 422), (png()[: len(png()) // 2], 422),
        (b"\xff\xd8\xff\xe0<?php system('id');", 422), (bomb(50_000, 50_000), 413), (bomb(1, 100_000), 413),
        (b"PK\x03\x04" + b"\0" * 50, 422), (b"%!PS-Adobe-3.0 EPSF-3.0\n(/etc/passwd) run", 422),
    ],
    ids=range(9),
)  # fmt: skip
def test_only_whole_pictures_of_a_fair_size_are_searched_with(client: TestClient, data: bytes, status: int) -> None:
    answer = upload(client, data)
    assert answer.status_code == status
    assert answer.json()["error"]["code"] in {"not_a_picture", "too_large"}


def test_a_broken_picture_in_a_store_is_told_apart(images: ServedImages, client: TestClient) -> None:
    url = ObjectStore.from_settings(images.settings).write("s3://images/broken.jpg", b"no picture")
    assert client.post("/similarity", json={"storage_url": url}).status_code == 422


def test_a_file_that_is_too_large_is_refused_wherever_it_lies(images: ServedImages) -> None:
    large = png(300)  # 200 kB
    path = images.pictures / "large.png"
    path.write_bytes(large)
    url = ObjectStore.from_settings(images.settings).write("s3://images/large.png", large)
    with images.client(images_max_bytes=100_000) as client:
        assert upload(client, large).status_code == 413
        assert client.post("/similarity", json={"path": str(path)}).status_code == 413
        assert client.post("/similarity", json={"storage_url": url}).status_code == 413


def test_the_name_of_an_upload_is_only_a_name(client: TestClient) -> None:
    answer = upload(client, png(), name="../../etc/cron.d/evil\r\nX: y.png")
    assert answer.status_code in (200, 400, 422)
    assert not Path("/etc/cron.d/evil").exists()


@pytest.mark.parametrize(
    "files",
    [
        [("file", ("a", png())), ("file", ("b", png()))],
        [("file", ("a", png())), ("other", ("b", png()))],
        [("other", ("b", png()))],
        [(f"field{number}", (None, "x")) for number in range(100)],
        [("file", ("a", png())), ("top_k", (None, "5")), ("top_k", (None, "6"))],
        [("file", ("a", png())), ("top_k", (None, "x" * 100_000))],
        [("file", ("a", png())), ("surprise", (None, "x"))],
        [("file", (None, "text"))],
    ],
    ids=["twice", "another file", "no file", "many fields", "field twice", "long field", "unknown field", "text"],
)
def test_strange_forms_are_refused(client: TestClient, files: Any) -> None:
    answer = client.post("/similarity", files=files)
    assert answer.status_code in (400, 413, 422)
    assert answer.json()["error"]["request_id"]


# What is left behind, and what is shown


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
