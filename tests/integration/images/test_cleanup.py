"""Temporary images are deleted a day after they came, and none is forgotten."""

from __future__ import annotations

import shutil
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from pydantic import SecretStr

from include.errors import FatalError, InputError, TransientError
from include.images.cleanup import clean_up
from include.images.parameters import ImageCleanupParameters
from include.objects.store import ObjectStore
from tests.integration.images.gallery import Gallery, days_ago
from tests.integration.s3_server import S3Server


@pytest.fixture
def seeded(gallery: Gallery) -> Gallery:
    gallery.seed(8)
    return gallery


def query(gallery: Gallery, name: str, *, days: float) -> tuple[int, Path]:
    """A temporary image of some age."""
    path = gallery.pictures / "queries" / name
    path.parent.mkdir(exist_ok=True)
    shutil.copy(gallery.files("scratch")[0], path)
    return register(gallery, path.as_uri(), days), path


def register(gallery: Gallery, url: str, days: float) -> int:
    with gallery.database() as database:
        number = database.register(url, "oak")
    gallery.tell("UPDATE images SET upload_date = %s WHERE image_id = %s", days_ago(days), number)
    return number


def clean(gallery: Gallery) -> dict[str, Any]:
    return clean_up(ImageCleanupParameters(), datetime.now(UTC), gallery.settings)


def left(gallery: Gallery) -> set[int]:
    with gallery.database() as database:
        return {row.image_id for page in database.pages("query_temp") for row in page}


def test_what_is_older_than_a_day_goes_with_its_object_and_all_else_stays(seeded: Gallery) -> None:
    old, old_file = query(seeded, "old.jpg", days=1.01)
    young, young_file = query(seeded, "young.jpg", days=0.99)

    assert clean(seeded) == {
        "counts": {"read": 1, "written": 1, "skipped": {}, "dead": 0},
        "objects": {"deleted": 1},
    }
    assert left(seeded) == {young}
    assert (old_file.exists(), young_file.exists()) == (False, True)
    assert len(seeded.files("scratch")) == 8
    assert clean(seeded)["counts"]["read"] == 0, "again"
    assert old not in left(seeded)


def test_an_object_that_cannot_be_deleted_keeps_its_row_and_holds_up_no_other(seeded: Gallery) -> None:
    bad = register(seeded, "s3://not-allowed/1.jpg", 2)
    _, file = query(seeded, "good.jpg", days=2)

    with pytest.raises(FatalError, match=rf"1 of 2 temporary images .* 1 are deleted\. {bad}: .*allowed stores"):
        clean(seeded)
    assert left(seeded) == {bad}
    assert not file.exists()
    with pytest.raises(FatalError, match="1 of 1"):
        clean(seeded)


def test_a_store_that_does_not_answer_is_asked_again_in_the_next_run(seeded: Gallery) -> None:
    away: dict[str, Any] = {
        "images_stores": "s3://images",
        "images_s3_endpoint": "http://127.0.0.1:1",
        "images_s3_retries": 0,
    }
    away |= {"images_s3_key": SecretStr("key"), "images_s3_secret": SecretStr("secret")}
    number = register(seeded, "s3://images/queries/1.jpg", 2)
    with pytest.raises(TransientError, match="1 of 1 temporary images could not be deleted"):
        clean(replace(seeded, settings=seeded.settings.model_copy(update=away)))
    assert left(seeded) == {number}


def test_an_object_that_is_gone_already_holds_up_nothing(seeded: Gallery) -> None:
    _, file = query(seeded, "gone.jpg", days=2)
    file.unlink()
    assert clean(seeded)["objects"] == {"gone before": 1}
    assert left(seeded) == set()


def test_an_object_that_another_image_uses_as_well_stays(seeded: Gallery) -> None:
    number, file = query(seeded, "shared.jpg", days=2)
    seeded.tell("UPDATE images SET file_path = %s WHERE image_type = 'defect' LIMIT 1", str(file))
    assert clean(seeded)["objects"] == {"still used": 1}
    assert number not in left(seeded)
    assert file.exists()


def test_objects_of_a_bucket_are_deleted(seeded: Gallery, s3: S3Server) -> None:
    more = {"images_roots": seeded.settings.images_roots, "images_stores": "s3://images/queries"}
    seeded = replace(seeded, settings=seeded.settings.model_copy(update=s3.settings(**more)))
    store = ObjectStore.from_settings(seeded.settings)
    store.write("s3://images/queries/cleanup.jpg", b"bytes")
    register(seeded, "s3://images/queries/cleanup.jpg", 2)
    assert clean(seeded)["objects"] == {"deleted": 1}
    assert not store.delete("s3://images/queries/cleanup.jpg")


def test_an_image_that_only_v1_knows_stays(seeded: Gallery) -> None:
    path = seeded.pictures / "oak_scratch_by_name_alone.jpg"
    shutil.copy(seeded.files("scratch")[0], path)
    number = register(seeded, path.as_uri(), 2)
    assert clean(seeded)["objects"] == {"still used": 1}
    assert number not in left(seeded)
    assert path.exists()


def test_an_image_of_the_tables_that_is_named_through_a_linked_folder_stays(seeded: Gallery) -> None:
    path = seeded.pictures / "originals" / "1.jpg"
    path.parent.mkdir()
    path.write_bytes(b"bytes")
    seeded.tell("UPDATE images SET file_path = %s WHERE image_type = 'defect' LIMIT 1", str(path))
    linked = seeded.pictures / "linked"
    linked.symlink_to(path.parent)
    with seeded.database() as database, pytest.raises(InputError, match="is an image of the tables"):
        database.register(str(linked / "1.jpg"), "oak")
    seeded.tell(
        "INSERT INTO images (file_path, product_id, image_type, upload_date) SELECT %s, product_id, 'query_temp', %s "
        "FROM products LIMIT 1", str(linked / "1.jpg"), days_ago(2),
    )  # fmt: skip
    assert clean(seeded)["objects"] == {"still used": 1}
    assert path.exists()


def test_of_a_file_and_an_object_only_the_one_that_another_image_uses_stays(seeded: Gallery) -> None:
    number, shared = query(seeded, "shared.jpg", days=2)
    own = shared.with_name("own.jpg")
    shutil.copy(shared, own)
    seeded.tell("UPDATE images SET file_path = %s WHERE image_id = %s", str(own), number)
    seeded.tell("UPDATE images SET file_path = %s WHERE image_type = 'defect' LIMIT 1", str(shared))
    assert clean(seeded)["objects"] == {"deleted": 1}
    assert (shared.exists(), own.exists()) == (True, False)


def test_a_run_for_a_day_that_is_still_to_come_deletes_nothing_young(seeded: Gallery) -> None:
    number, file = query(seeded, "young.jpg", days=0)
    later = datetime.now(UTC) + timedelta(days=400)
    assert clean_up(ImageCleanupParameters(), later, seeded.settings)["counts"]["read"] == 0
    assert left(seeded) == {number}
    assert file.exists()
