"""Types without images: a build passes them over, and takes what is served away only when somebody says so."""

from __future__ import annotations

import shutil
import time
from pathlib import Path

import pytest
from fastapi.testclient import TestClient

from include.errors import InputError
from include.images.api import health
from include.images.served_models import image_fingerprints
from tests.integration.images.gallery import Gallery
from tests.integration.images.served import ServedImages
from tests.integration.images.test_commands import embsearch
from tests.integration.images.uploads import upload


@pytest.fixture
def emptied(gallery: Gallery) -> Gallery:
    """With an index of images that are all gone from the tables."""
    gallery.seed(10)
    gallery.build()
    gallery.tell("DELETE FROM images WHERE image_type = 'defect'")
    return gallery


def test_a_type_that_never_had_images_is_passed_over(gallery: Gallery) -> None:
    gallery.seed(1)
    for allow_empty in (False, True):
        found = gallery.build("normal", allow_empty=allow_empty)
        assert (found["outcome"], found["rows"], found["version"]) == ("no images", 0, None)
        assert gallery.folder("normal").served_name() is None
        assert gallery.remains() == []
    assert gallery.build("defect", allow_empty=True)["outcome"] == "published", "one that has some is built"


def test_when_the_last_image_is_gone_what_is_served_stays_until_somebody_says_that_it_may_go(emptied: Gallery) -> None:
    before = emptied.served()
    with pytest.raises(InputError) as raised:
        emptied.build()
    said = str(raised.value)
    assert f"{before.name} with {before.manifest.ntotal} of them" in said
    assert "embsearch images build --type defect --allow-empty" in said
    assert emptied.served().name == before.name
    before.check()


def test_an_index_that_was_taken_away_is_gone_whole_and_comes_back_with_images(emptied: Gallery) -> None:
    assert emptied.build(allow_empty=True)["outcome"] == "no images left, index taken away"
    with pytest.raises(InputError, match="There is no index of defect images in edition v2"):
        emptied.index()
    assert list(emptied.folder().versions.iterdir()) == []
    assert emptied.remains() == []
    assert image_fingerprints(emptied.settings) == frozenset(), "no model must stay loaded for it"
    assert emptied.build()["outcome"] == "no images"

    emptied.seed(10)
    assert emptied.build()["outcome"] == "published"
    assert emptied.index().size == emptied.served().manifest.ntotal


def test_what_a_killed_run_left_when_the_index_was_taken_away_goes_with_the_next_one(emptied: Gallery) -> None:
    (emptied.folder().root / "CURRENT").unlink()
    assert emptied.build(allow_empty=True)["outcome"] == "no images left, index taken away"
    assert list(emptied.folder().versions.iterdir()) == []


def test_the_command_says_what_is_served_and_how_to_go_on(emptied: Gallery) -> None:
    refused = embsearch(emptied, "build", "--type", "defect", status=1)
    assert "is served: it stays" in " ".join(refused.split())
    taken = embsearch(emptied, "build", "--type", "defect", "--allow-empty")
    assert "defect: no images left, index taken away" in taken
    found = embsearch(emptied, "search", str(emptied.files("scratch")[0]), status=1)
    assert "There is no index of defect images" in " ".join(found.split())


def test_searches_of_an_emptied_type_are_refused_in_a_sentence_and_answered_again_when_images_come(
    images: ServedImages, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(health, "KEPT_SECONDS", 0.0)
    folder = tmp_path / "v1"
    folder.mkdir()
    changes = {"state_dir": tmp_path / "state", "images_v1_dir": folder, "use_index_v2": False}
    own = ServedImages(images.settings.model_copy(update=changes), images.pictures)
    for kind in ("scratch", "dent", "normal"):
        shutil.copy(images.some(kind), folder)
    for kind in ("defect", "normal"):
        own.build(kind, "first", edition="v1")
    query = images.some("dent").read_bytes()
    with own.client() as client:
        assert len(upload(client, query).json()["results"]) == 2
        for path in folder.glob("*_[sd]*_*.jpg"):
            path.unlink()
        own.build("defect", "emptied", edition="v1", allow_empty=True)

        wait_for(client, query, 503)
        fault = upload(client, query).json()["error"]
        assert fault["code"] == "no_index"
        assert fault["message"].startswith("There is no index of defect images")
        told = client.get("/health").json()
        assert (told["status"], told["indexes"]["v1_defect"]["status"]) == ("degraded", "unavailable")
        asked = {"path": str(images.some("normal")), "index_type": "normal"}
        assert client.post("/similarity", json=asked).status_code == 200, "the other type is searched on"

        shutil.copy(images.some("dent"), folder)
        own.build("defect", "again", edition="v1")
        assert [each["defect_code"] for each in upload(client, query).json()["results"]] == ["dent"]


def wait_for(client: TestClient, query: bytes, status: int) -> None:
    """Until a search is answered so; every answer before is a whole one."""
    deadline = time.monotonic() + 120
    while (answer := upload(client, query)).status_code != status:
        assert answer.status_code == 200
        assert time.monotonic() < deadline
        time.sleep(0.05)
