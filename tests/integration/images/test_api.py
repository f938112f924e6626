"""The image search as its callers meet it."""

from __future__ import annotations

import base64
import io
from pathlib import Path
from typing import Any

import httpx
import pytest
from fastapi.testclient import TestClient
from PIL import Image
from sqlalchemy import text

from include.errors import ContractError
from include.images.api.rebuilds import RebuildOf
from include.images.database import ImageDatabase
from include.images.row import FIELDS
from include.objects.store import ObjectStore
from include.triton.client import TritonClient
from tests.integration.images.served import IMAGES, Rebuilds, ServedImages


def upload(client: TestClient, path: Path, **options: Any) -> httpx.Response:
    with path.open("rb") as file:
        return client.post("/similarity", files={"file": (path.name, file, "image/jpeg")}, data=options)


# Searching


@pytest.mark.parametrize("edition", ["v1", "v2"])
@pytest.mark.parametrize("kind", ["defect", "normal"])
def test_a_picture_of_the_index_finds_itself_first(
    images: ServedImages, client: TestClient, kind: str, edition: str
) -> None:
    path = images.some("normal" if kind == "normal" else "scratch")
    asked = {"path": str(path), "index_type": kind, "edition": edition}
    answer = client.post("/similarity", json=asked).json()

    first = answer["results"][0]
    assert first["local_path"] == str(path)
    assert first["similarity_score"] == pytest.approx(1, abs=1e-3)
    assert set(FIELDS) | {"similarity_score", "version"} <= set(first)
    assert (answer["status"], answer["edition"], answer["version"]) == ("success", edition, first["version"])
    assert len(answer["results"]) == 5
    scores = [found["similarity_score"] for found in answer["results"]]
    assert scores == sorted(scores, reverse=True)
    assert {found["image_type"] for found in answer["results"]} == {kind}


def test_path_url_and_upload_of_one_picture_find_the_same(images: ServedImages, client: TestClient) -> None:
    path = images.some("dent")
    url = ObjectStore.from_settings(images.settings).write("s3://images/query.jpg", path.read_bytes())

    answers = [
        client.post("/similarity", json={"path": str(path)}),
        client.post("/similarity", json={"storage_url": url}),
        upload(client, path),
    ]

    found = [[(each["image_id"], each["similarity_score"]) for each in answer.json()["results"]] for answer in answers]
    assert found[0] == found[1] == found[2]


@pytest.mark.parametrize("kind", ["PNG", "WEBP", "BMP"])
def test_the_format_of_an_upload_does_not_matter(
    images: ServedImages, client: TestClient, tmp_path: Path, kind: str
) -> None:
    path = images.some("stain")
    Image.open(path).save(tmp_path / "picture", kind, **({"lossless": True} if kind == "WEBP" else {}))
    best = upload(client, tmp_path / "picture").json()["results"][0]
    assert best["local_path"] == str(path)


def test_top_k_is_kept(images: ServedImages, client: TestClient) -> None:
    assert len(upload(client, images.some("dent"), top_k=1).json()["results"]) == 1
    assert len(upload(client, images.some("dent"), top_k=100).json()["results"]) == 64  # all there are


def test_the_default_edition_is_that_of_the_documented_switch(images: ServedImages) -> None:
    asked = {"path": str(images.some("dent"))}
    with images.client(use_index_v2=False) as client:
        assert client.post("/similarity", json=asked).json()["edition"] == "v1"
    with images.client(use_index_v2=True) as client:
        assert client.post("/similarity", json=asked).json()["edition"] == "v2"


def test_result_images_come_as_links_that_open(images: ServedImages, client: TestClient) -> None:
    answer = upload(client, images.some("scratch"), result_images="url").json()
    for link in answer["result_images"].values():
        picture = Image.open(io.BytesIO(httpx.get(link).content))
        assert (picture.format, picture.size) == ("PNG", (256, 256))


def test_result_images_come_as_base64_on_request(images: ServedImages, client: TestClient) -> None:
    answer = upload(client, images.some("scratch"), result_images="base64").json()
    for encoded in answer["result_images"].values():
        assert Image.open(io.BytesIO(base64.b64decode(encoded))).size == (256, 256)


# Rebuilding


def test_a_rebuild_is_started_and_can_be_asked_for(images: ServedImages) -> None:
    rebuilds = Rebuilds()
    with images.client(rebuilds) as client:
        answer = client.post("/index/rebuild", json={"index_type": "defect"})
        assert (answer.status_code, answer.json()["status"]) == (202, "started")
        assert rebuilds.started == [RebuildOf("defect", "v2")]
        state = client.get(f"/index/rebuild/{answer.json()['task_id']}")
        assert state.json()["status"] == "running"
        assert client.get("/index/rebuild/another").status_code == 404


@pytest.mark.parametrize("use_v2", [True, False])
def test_a_rebuild_is_of_the_edition_that_searches_are_over_unless_the_caller_says(
    images: ServedImages, use_v2: bool
) -> None:
    rebuilds = Rebuilds()
    served, other = ("v2", "v1") if use_v2 else ("v1", "v2")
    with images.client(rebuilds, use_index_v2=use_v2) as client:
        answer = client.post("/index/rebuild", json={})
        assert client.get("/health").json()["edition"] == answer.json()["edition"] == served
        client.post("/index/rebuild", json={"edition": other, "allow_empty": True})
    assert rebuilds.started == [RebuildOf("all", served), RebuildOf("all", other, allow_empty=True)]


# Registering


def test_a_temporary_image_is_recorded(images: ServedImages, client: TestClient) -> None:
    url = ObjectStore.from_settings(images.settings).write("s3://images/queries/1.jpg", b"x")
    code, defect = images.some("dent").name.split("_")[:2]
    asked = {"storage_url": url, "image_type": "query_temp", "product_code": code, "defect_code": defect}

    answer = client.post("/api/worker/image/register", json=asked)

    assert answer.status_code == 201
    with ImageDatabase.from_settings(images.settings) as database, database.session("look") as session:
        row = session.execute(
            text("SELECT image_type, storage_url FROM images WHERE image_id = :id"), {"id": answer.json()["image_id"]}
        ).one()
    assert tuple(row) == ("query_temp", url)


@pytest.mark.parametrize(
    ("changes", "status"),
    [
        ({"product_code": "nobody"}, 400), ({"defect_code": "nothing"}, 400), ({"image_type": "normal"}, 422),
        ({"storage_url": "s3://images/queries/gone.jpg"}, 404), ({"storage_url": "s3://elsewhere/x.jpg"}, 403),
        ({"storage_url": "s3://images/kept.jpg"}, 403),
        ({"storage_url": "http://images/x.jpg"}, 400), ({"product_code": "x' OR '1'='1"}, 400), ({"extra": 1}, 422),
    ],
)  # fmt: skip
def test_what_cannot_be_recorded_is_refused(
    images: ServedImages, client: TestClient, changes: dict[str, Any], status: int
) -> None:
    store = ObjectStore.from_settings(images.settings)
    store.write("s3://images/kept.jpg", b"x")  # not among the temporary images
    url = store.write("s3://images/queries/2.jpg", b"x")
    asked = {"storage_url": url, "image_type": "query_temp", "product_code": images.some("dent").name.split("_")[0]}
    assert client.post("/api/worker/image/register", json=asked | changes).status_code == status


# Health


def test_health_says_that_all_is_well(client: TestClient) -> None:
    found = client.get("/health").json()
    assert (found["status"], found["edition"]) == ("ok", "v2")
    assert found["database"]["status"] == found["model"]["status"] == "ok"
    assert set(found["indexes"]) == {"v1_normal", "v1_defect", "v2_normal", "v2_defect"}
    assert sum(each["images"] for name, each in found["indexes"].items() if name.startswith("v2")) == IMAGES


def test_searches_go_on_while_the_database_is_down(images: ServedImages) -> None:
    with images.client(images_mysql_url="mysql://127.0.0.1:1/embsearch_images") as client:
        found = client.get("/health").json()
        assert (found["status"], found["database"]["status"]) == ("degraded", "unavailable")
        assert "127.0.0.1" not in found["database"]["message"]
        assert upload(client, images.some("dent")).status_code == 200


def test_without_the_model_server_a_search_says_so_and_the_rest_goes_on(images: ServedImages) -> None:
    with images.client(kserve_url="http://127.0.0.1:1") as client:
        found = client.get("/health")
        assert (found.status_code, found.json()["status"]) == (503, "unavailable")


def test_an_index_that_is_built_later_is_found_without_a_restart(images: ServedImages, tmp_path: Path) -> None:
    changed = ServedImages(images.settings.model_copy(update={"state_dir": tmp_path}), images.pictures)
    with changed.client() as client:
        refused = upload(client, images.some("dent"))
        assert (refused.status_code, refused.json()["error"]["code"]) == (503, "no_index")
        changed.build("defect", "later")
        assert upload(client, images.some("dent")).status_code == 200


# Description


def test_the_description_has_an_example_of_every_request(client: TestClient) -> None:
    found = client.get("/openapi.json").json()
    assert set(found["paths"]) == {
        "/similarity", "/index/rebuild", "/index/rebuild/{run_id}", "/api/worker/image/register", "/health",
    }  # fmt: skip
    search = found["paths"]["/similarity"]["post"]["requestBody"]["content"]
    assert set(search) == {"application/json", "multipart/form-data"}
    assert search["application/json"]["examples"]
    for path in ("/index/rebuild", "/api/worker/image/register"):
        body = found["paths"][path]["post"]["requestBody"]
        assert body["required"]
        assert set(body["content"]) == {"application/json"}
        assert body["content"]["application/json"]["schema"]["examples"]


@pytest.mark.parametrize("path", ["/similarity", "/index/rebuild", "/api/worker/image/register"])
def test_a_body_of_another_type_is_refused_with_what_to_send(client: TestClient, path: str) -> None:
    for kind in ("text/plain", "application/xml", None):
        answer = client.post(path, content=b"{}", headers={"content-type": kind} if kind else {})
        assert answer.status_code == 415
        assert "application/json" in answer.json()["error"]["message"]


@pytest.mark.parametrize("path", ["/similarity", "/index/rebuild", "/api/worker/image/register"])
@pytest.mark.parametrize(("body", "where"), [(b"", ["body"]), (b"{", ["body"]), (b'{"no": 1}', ["body", "no"])])
def test_what_is_wrong_with_a_body_is_told_by_its_place(
    client: TestClient, path: str, body: bytes, where: list[str]
) -> None:
    kind = {"content-type": "Application/JSON; charset=utf-8"}
    fault = client.post(path, content=body, headers=kind).json()["error"]
    assert (fault["code"], where in [each["where"] for each in fault["details"]]) == ("invalid", True)


def test_the_docs_page_asks_no_other_host(client: TestClient) -> None:
    page = client.get("/docs").text
    assert "://" not in page
    for path in ("/docs/assets/swagger-ui-bundle.js", "/docs/assets/swagger-ui.css", "/docs/start.js"):
        assert path in page
        assert client.get(path).status_code == 200


# What fails behind it


def test_an_image_of_v1_is_not_recorded_as_a_temporary_one(images: ServedImages) -> None:
    path = images.pictures / "zz_scratch_zz.jpg"
    path.write_bytes(images.some("scratch").read_bytes())
    try:
        asked = {"storage_url": path.as_uri(), "product_code": images.some("dent").name.split("_")[0]}
        with images.client(images_temporary_stores=images.pictures.as_uri()) as client:
            answer = client.post("/api/worker/image/register", json=asked)
        assert (answer.status_code, "image of V1" in answer.text) == (400, True)
    finally:
        path.unlink()


def test_health_says_when_the_model_of_the_index_is_not_served(
    images: ServedImages, monkeypatch: pytest.MonkeyPatch
) -> None:
    def gone(*_: Any, **__: Any) -> None:
        raise ContractError("served nowhere")

    monkeypatch.setattr(TritonClient, "served", gone)
    with images.client() as client:
        found = client.get("/health").json()
    assert (found["status"], found["model"]["status"]) == ("unavailable", "unavailable")
