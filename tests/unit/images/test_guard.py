"""What stands before every request."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable, Iterator
from typing import Any

import pytest
from fastapi import FastAPI, HTTPException, Request
from fastapi.testclient import TestClient

from include.errors import AccessDenied, FatalError, InputError, ServiceUnavailable
from include.images.api.faults import add_handlers
from include.images.api.guard import SMALL_BODY, Bounds, Guard
from include.objects.locations import NotAllowed

FAULTS: dict[str, Exception] = {
    "input": InputError("the field is wrong"),
    "not-allowed": NotAllowed("outside"),
    "transient": ServiceUnavailable("mysql://10.0.0.7:3306 does not answer"),
    "login": AccessDenied("key AKIA123 refused at http://10.0.0.7"),
    "fatal": FatalError("/srv/secret/place is damaged"),
    "unforeseen": RuntimeError("/srv/secret/place"),
    "http": HTTPException(404, "no such thing"),
}


def app() -> FastAPI:
    made = FastAPI()

    @made.post("/read")
    async def read(request: Request) -> int:
        return len(await request.body())

    @made.get("/fail/{name}")
    def fail(name: str) -> None:
        raise FAULTS[name]

    add_handlers(made)
    made.add_middleware(Guard, bounds=Bounds(upload_bytes=1_000_000, seconds=0.2))
    return made


@pytest.fixture
def client() -> Iterator[TestClient]:
    with TestClient(app()) as found:
        yield found


@pytest.mark.parametrize(
    ("name", "status", "code"),
    [
        ("input", 400, "bad_request"), ("not-allowed", 403, "not_allowed"), ("transient", 503, "unavailable"),
        ("login", 500, "internal"), ("fatal", 500, "internal"), ("unforeseen", 500, "internal"),
        ("http", 404, "not_found"),
    ],
)  # fmt: skip
def test_every_failure_has_one_shape_and_none_shows_the_inside(
    client: TestClient, name: str, status: int, code: str
) -> None:
    answer = client.get(f"/fail/{name}")
    assert answer.status_code == status
    error = answer.json()["error"]
    assert error["code"] == code
    assert error["request_id"] == answer.headers["x-request-id"]
    assert not [inside for inside in ("Traceback", "secret", "10.0.0.7", "AKIA123") if inside in answer.text]
    assert (status == 503) == ("retry-after" in answer.headers)


def test_the_log_has_the_reason_under_the_request_id(client: TestClient, caplog: pytest.LogCaptureFixture) -> None:
    told = client.get("/fail/unforeseen").headers["x-request-id"]
    assert told in caplog.text
    assert "/srv/secret/place" in caplog.text


def test_unknown_paths_and_methods_have_the_shape_too(client: TestClient) -> None:
    assert client.get("/nothing").json()["error"]["code"] == "not_found"
    assert client.get("/read").json()["error"]["code"] == "method_not_allowed"


def test_every_answer_forbids_what_pages_do_not_need(client: TestClient) -> None:
    headers = client.get("/nothing").headers
    assert "default-src 'none'" in headers["content-security-policy"]
    assert headers["x-content-type-options"] == "nosniff"
    assert headers["cache-control"] == "no-store"


def test_a_body_that_announces_too_much_is_not_read(client: TestClient) -> None:
    answer = client.post("/read", content=b"x", headers={"content-length": str(SMALL_BODY + 1)})
    assert answer.status_code == 413
    assert answer.json()["error"]["code"] == "too_large"
    pieces = iter([b"x"])
    status, _ = asyncio.run(_raw(headers=[(b"content-length", str(SMALL_BODY + 1).encode())], body=pieces))
    assert (status, len(list(pieces))) == (413, 1)


def test_a_body_without_an_announced_length_is_counted_and_read_no_further_than_it_may_be() -> None:
    pieces = iter([b"x" * 10_000] * 100)
    status, _ = asyncio.run(_raw(headers=[], body=pieces))
    assert status == 413
    assert len(list(pieces)) == 100 - (SMALL_BODY // 10_000 + 1)


def test_an_upload_may_be_larger(client: TestClient) -> None:
    kind = {"content-type": "multipart/form-data; boundary=x"}
    assert client.post("/read", content=b"x" * 900_000, headers=kind).json() == 900_000
    assert client.post("/read", content=b"x" * 1_100_000, headers=kind).status_code == 413


@pytest.mark.parametrize("length", ["-1", "1e3", "abc", "9" * 400, "٣"])
def test_a_strange_length_is_refused(length: str) -> None:
    status, _ = asyncio.run(_raw(headers=[(b"content-length", length.encode())], body=[b""]))
    assert status == 413


@pytest.mark.parametrize(
    ("site", "status"), [("cross-site", 403), ("same-site", 403), ("same-origin", 200), ("none", 200)]
)
def test_a_page_of_another_site_cannot_send_the_user_s_login(client: TestClient, site: str, status: int) -> None:
    assert client.post("/read", content=b"x", headers={"sec-fetch-site": site}).status_code == status


def test_a_body_that_trickles_is_given_up() -> None:
    status, body = asyncio.run(_raw(headers=[], body=[b"x"]))
    assert status == 408
    assert b"did not come within 0.2 s" in body


async def _raw(*, headers: list[tuple[bytes, bytes]], body: Iterable[bytes]) -> tuple[int, bytes]:
    """A request whose body stops after ``body`` and never ends."""
    sent: list[dict[str, Any]] = []
    parts = iter(body)

    async def receive() -> dict[str, Any]:
        if (part := next(parts, None)) is None:
            await asyncio.sleep(3600)
        return {"type": "http.request", "body": part, "more_body": True}

    async def send(message: Any) -> None:
        sent.append(message)

    scope = {
        "type": "http", "method": "POST", "path": "/read", "raw_path": b"/read", "query_string": b"", "root_path": "",
        "headers": headers, "scheme": "http", "server": ("test", 80), "client": ("127.0.0.1", 1), "http_version": "1.1",
    }  # fmt: skip
    await app()(scope, receive, send)
    return sent[0]["status"], b"".join(part.get("body", b"") for part in sent[1:])
