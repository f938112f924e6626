"""What callers are told, and what they hold up, when something behind the API fails or is slow."""

from __future__ import annotations

import gc
import io
import threading
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
from fastapi.testclient import TestClient
from PIL import Image

from include.errors import InputError
from include.images.api import health, registering
from include.images.api.serving import Serving
from include.images.api.threads import DRAWINGS, SEARCHES
from include.images.database import ImageDatabase
from include.images.index import ImageIndex
from include.objects.store import ObjectStore
from include.triton.client import TritonClient
from tests.integration.images.served import ServedImages
from tests.integration.images.uploads import png
from tests.integration.s3_server import misbehaving


def test_what_the_model_server_refuses_is_told_without_its_address_and_holds_up_nobody(
    images: ServedImages, monkeypatch: pytest.MonkeyPatch
) -> None:
    """One thread alone: the one that draws must not wait for another."""
    embed = TritonClient.aembed

    async def refusing(self: TritonClient, model: str, items: Any, **more: Any) -> Any:
        if len(items) > 1:
            raise InputError("Triton at http://10.0.0.7:8000 refuses the request (3): IMAGE 4: not readable")
        return await embed(self, model, items, **more)

    monkeypatch.setattr(TritonClient, "aembed", refusing)
    for threads in (SEARCHES, DRAWINGS):
        monkeypatch.setattr(threads, "at_once", 1)
    with images.client() as client:
        answer = client.post("/similarity", files={"file": ("x.png", png())}, data={"result_images": "base64"})
    assert answer.status_code == 422
    assert "not readable" in answer.text
    assert "10.0.0.7" not in answer.text


def test_a_bucket_that_is_missing_is_told_without_the_store_s_address(images: ServedImages) -> None:
    with images.client(images_stores="s3://images,s3://no-such-bucket") as client:
        answer = client.post("/similarity", json={"storage_url": "s3://no-such-bucket/x.jpg"})
    assert (answer.status_code, answer.json()["error"]["code"]) == (404, "bucket_not_found")
    assert str(images.settings.images_s3_endpoint) not in answer.text


def test_a_database_without_tables_is_no_fault_of_the_caller_s(
    images: ServedImages, client: TestClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    def without_tables(*_: Any, **__: Any) -> None:
        raise InputError("MySQL at mysql://10.0.0.7:3306/images: no such table")

    monkeypatch.setattr(ImageDatabase, "register", without_tables)
    url = ObjectStore.from_settings(images.settings).write("s3://images/queries/3.jpg", b"x")
    answer = client.post("/api/worker/image/register", json={"storage_url": url, "product_code": "oak"})
    assert answer.status_code == 503
    assert "10.0.0.7" not in answer.text


@pytest.mark.parametrize("wanted", ["none", "base64"])
def test_while_a_search_waits_for_the_model_its_picture_is_small(
    images: ServedImages, monkeypatch: pytest.MonkeyPatch, wanted: str
) -> None:
    """A file of some kilobytes may be a picture of 150 MB; many callers may wait."""
    search = Serving.search
    sizes: list[int] = []

    async def looking(self: Serving, *args: Any) -> Any:
        gc.collect()
        found = [each for each in gc.get_objects() if type(each) is Image.Image]
        sizes.extend(each.width * each.height for each in found)
        return await search(self, *args)

    monkeypatch.setattr(Serving, "search", looking)
    buffer = io.BytesIO()
    Image.new("RGB", (3000, 3000), "red").save(buffer, "PNG")
    with images.client() as client:
        sent = {"file": ("x.png", buffer.getvalue())}
        assert client.post("/similarity", files=sent, data={"result_images": wanted}).status_code == 200
    assert max(sizes, default=0) <= 512 * 512


def test_a_database_that_hangs_holds_up_no_search_and_is_told_soon(
    images: ServedImages, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(registering, "ANSWER_SECONDS", 1.0)
    url = ObjectStore.from_settings(images.settings).write("s3://images/queries/4.jpg", b"x")
    hung = threading.Event()
    with misbehaving(lambda _: hung.wait(60)) as (address, _):
        server = address.replace("http://", "mysql://") + "/embsearch_images"
        with images.client(images_mysql_url=server) as client, ThreadPoolExecutor(20) as callers:
            body = {"storage_url": url, "product_code": "oak"}
            waiting = [callers.submit(client.post, "/api/worker/image/register", json=body) for _ in range(20)]
            found = client.post("/similarity", json={"path": str(images.some("dent"))})
            assert found.status_code == 200
            assert {each.result().status_code for each in waiting} == {503}
            hung.set()


def health_when(client: TestClient, met: Callable[[dict[str, Any]], bool]) -> dict[str, Any]:
    """The indexes as /health tells them, asked until they are as they must become."""
    deadline = time.monotonic() + 120
    while not met(found := client.get("/health").json()["indexes"]):
        assert time.monotonic() < deadline, found
        time.sleep(0.05)
    return dict(found)


def test_an_index_that_is_opened_for_long_holds_up_neither_health_nor_searches_of_another(
    images: ServedImages, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(health, "LONGEST_SECONDS", 0.2)
    monkeypatch.setattr(health, "KEPT_SECONDS", 0.0)
    open_index, read = ImageIndex.open, threading.Event()

    def slowly(kind: str, *args: Any, **more: Any) -> ImageIndex:
        if kind == "defect":
            read.wait(60)
        return open_index(kind, *args, **more)

    monkeypatch.setattr(ImageIndex, "open", slowly)
    try:
        with images.client() as client:
            found = health_when(client, lambda found: found["v2_normal"]["status"] == "ok")
            assert (found["v2_defect"]["status"], found["v2_defect"]["message"]) == ("unavailable", health.OPENING)
            assert "v1_defect" not in found
            asked = {"path": str(images.some("normal")), "index_type": "normal"}
            assert client.post("/similarity", json=asked).status_code == 200
            assert not read.is_set()
            read.set()
            health_when(client, lambda found: found["v2_defect"]["status"] == "ok")
    finally:
        read.set()


def test_while_nobody_can_tell_how_an_index_is_health_says_how_it_was(
    images: ServedImages, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(health, "KEPT_SECONDS", 0.0)
    answered, index = threading.Event(), Serving.index
    with images.client() as client:
        before = health_when(client, lambda found: {each["status"] for each in found.values()} == {"ok"})
        monkeypatch.setattr(health, "LONGEST_SECONDS", 0.2)
        monkeypatch.setattr(Serving, "index", lambda *args: (answered.wait(60), index(*args))[1])
        try:
            for _ in range(2):
                late = client.get("/health").json()["indexes"]
                assert late == {name: {**each, "message": health.LATE} for name, each in before.items()}
        finally:
            answered.set()
        assert health_when(client, lambda found: found["v2_normal"]["message"] == "") == before
