"""What is sent instead of a picture, and pictures that are too large."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from fastapi.testclient import TestClient

from include.objects.store import ObjectStore
from tests.integration.images.served import ServedImages
from tests.integration.images.uploads import png, upload
from tests.unit.images.test_pictures import bomb


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
    assert answer.status_code == 200
    assert answer.json()["query_image"] == "../../etc/cron.d/evil%0D%0AX: y.png", "as the form had it"
    assert "x" not in answer.headers
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
