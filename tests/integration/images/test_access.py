"""Who may ask, and how often."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
from pydantic import SecretStr

from include.errors import InputError
from include.images.api.access import by_token
from include.settings import Settings
from tests.integration.images.served import TOKEN, ServedImages

ROUTES = [
    ("POST", "/similarity"), ("POST", "/index/rebuild"), ("GET", "/index/rebuild/run_1"),
    ("POST", "/api/worker/image/register"), ("GET", "/health"),
]  # fmt: skip


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


@pytest.mark.parametrize("kind", ["application/json", "multipart/form-data; boundary=x"])
@pytest.mark.parametrize("path", [path for method, path in ROUTES if method == "POST"])
@pytest.mark.parametrize("who", ["a stranger", "a caller who asks too often"])
def test_a_body_is_not_read_unless_its_sender_may_send_it(images: ServedImages, who: str, path: str, kind: str) -> None:
    read = 0

    def pieces() -> Iterator[bytes]:
        nonlocal read
        for _ in range(3):
            read += 1
            yield b"x" * 10_000

    stranger = who == "a stranger"
    with images.client(token=None if stranger else TOKEN, images_requests_per_minute=1) as client:
        if not stranger:
            assert client.get("/health").status_code == 200  # all that this minute allows
        answer = client.post(path, content=pieces(), headers={"content-type": kind})
    assert answer.status_code == (401 if stranger else 429)
    assert read == 0


@pytest.mark.parametrize("path", [path for method, path in ROUTES if method == "POST"])
def test_a_body_of_a_caller_is_read_which_the_test_above_would_see(images: ServedImages, path: str) -> None:
    read = 0

    def pieces() -> Iterator[bytes]:
        nonlocal read
        read += 1
        yield b"{"

    with images.client() as client:
        assert client.post(path, content=pieces(), headers={"content-type": "application/json"}).status_code == 422
    assert read == 1


def test_every_route_is_behind_the_login(images: ServedImages) -> None:
    """Also those that somebody adds later; only the description and its assets are open."""
    with images.client(token=None) as client:
        app: Any = client.app
        open_paths = {"/docs", "/openapi.json", "/docs/start.js", "/docs/assets"}
        paths = {path for route in app.routes if (path := getattr(route, "path", None)) and path not in open_paths}
        assert {path.replace("run_1", "{run_id}") for _, path in ROUTES} <= paths
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
