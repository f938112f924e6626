"""An index of images from the database, the files and Triton."""

from __future__ import annotations

import shutil
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from include.errors import AccessDenied, GateFailed, InputError, ServiceUnavailable
from include.faiss_index.manifest import Manifest
from include.images.seed import seed
from include.objects.store import ObjectStore
from include.triton.client import TritonClient
from tests.integration.images.gallery import Gallery
from tests.integration.s3_server import S3Server, without_right_to_list

IMAGES = 50  # 42 with a defect, 8 without


@pytest.fixture
def seeded(gallery: Gallery) -> Gallery:
    assert gallery.seed(IMAGES) == {"images": IMAGES, "drawn": IMAGES, "rows": IMAGES}
    return gallery


def defects(gallery: Gallery) -> int:
    return len([path for path in gallery.pictures.iterdir() if "_normal_" not in path.name])


def test_index_embeddings_and_metadata_are_one_version(seeded: Gallery) -> None:
    count = defects(seeded)
    found = seeded.build()

    version = seeded.served()
    assert found["outcome"] == "published"
    assert found["counts"] == {"read": count, "written": count, "skipped": {}, "dead": 0}
    assert (found["version"], found["rows"], found["embedded"], found["reused"]) == (version.name, count, count, 0)
    assert {
        "index.faiss",
        "ids.npy",
        "embeddings.npy",
        "metadata.json",
        "sources.json",
    } <= version.manifest.files.keys()
    version.check()
    vectors, metadata = np.load(version.folder / "embeddings.npy"), seeded.metadata()
    assert vectors.shape == (count, 24)
    np.testing.assert_allclose(np.linalg.norm(vectors, axis=1), 1, atol=1e-5)
    assert [row["image_id"] for row in metadata] == version.ids().tolist()
    np.testing.assert_array_equal(version.open().reconstruct(version.ids()), vectors)
    assert seeded.remains() == []


def test_a_vector_is_that_of_the_file_that_its_metadata_names(seeded: Gallery) -> None:
    seeded.build()
    vectors, metadata = np.load(seeded.served().folder / "embeddings.npy"), seeded.metadata()
    with TritonClient(seeded.settings.kserve_url) as client:
        for row in (0, 13, len(metadata) - 1):
            data = Path(metadata[row]["local_path"]).read_bytes()
            (wanted,) = client.embed(seeded.settings.images_model, [data])
            assert vectors[row] @ wanted > 0.9999


def test_metadata_joins_product_and_defect_and_an_image_without_one_is_normal(seeded: Gallery) -> None:
    seeded.build()
    seeded.build("normal")

    first = seeded.metadata()[0]
    assert list(first) == [
        "image_id", "local_path", "storage_url", "product_code", "product_name", "defect_code", "defect_name",
        "image_type",
    ]  # fmt: skip
    assert first["local_path"] == str(seeded.pictures / "oak_scratch_000000.jpg")
    assert (first["product_code"], first["product_name"]) == ("oak", "Oak board")
    assert (first["defect_code"], first["defect_name"], first["image_type"]) == ("scratch", "긁힘", "defect")
    assert {(row["defect_code"], row["defect_name"]) for row in seeded.metadata("normal")} == {("normal", "정상")}


def test_further_columns_are_passed_through_when_the_settings_name_them(seeded: Gallery) -> None:
    settings = seeded.settings.model_copy(update={"images_metadata_columns": "file_size,upload_date"})
    replace(seeded, settings=settings).build()

    first = seeded.metadata()[0]
    assert list(first)[-2:] == ["file_size", "upload_date"]
    assert first["file_size"] == (seeded.pictures / "oak_scratch_000000.jpg").stat().st_size
    assert datetime.fromisoformat(first["upload_date"]) == datetime(2026, 1, 1, tzinfo=UTC)
    (found, *_) = seeded.index().search(np.load(seeded.served().folder / "embeddings.npy")[0])
    assert found.as_dict()["file_size"] == first["file_size"]


def test_missing_and_broken_files_are_reported_and_left_out(seeded: Gallery) -> None:
    count, (gone, cut, text, empty, *_) = defects(seeded), seeded.files("scratch")
    gone.unlink()
    cut.write_bytes(cut.read_bytes()[:2000])
    text.write_text("no picture at all")
    empty.write_bytes(b"")
    outside = seeded.pictures.parent / "outside.jpg"
    shutil.copy(seeded.files("dent")[0], outside)
    seeded.tell("UPDATE images SET file_path = %s WHERE file_path = %s", str(outside), str(seeded.files("dent")[1]))

    allowing = replace(seeded, settings=seeded.settings.model_copy(update={"images_missing_share": 0.5}))
    found = allowing.build()

    assert found["counts"]["skipped"] == {"missing": 1, "not an image": 3, "not allowed": 1}
    assert found["counts"]["read"] == count == found["counts"]["written"] + 5
    report = seeded.missing()
    assert {row["address"]: row["reason"] for row in report} == {
        str(gone): "missing", str(cut): "not an image", str(text): "not an image", str(empty): "not an image",
        str(outside): "not allowed",
    }  # fmt: skip
    assert found["missing"] == {"count": 5, "for_example": [row["image_id"] for row in report][:3]}
    assert not {row["image_id"] for row in report} & set(seeded.served().ids().tolist())


def test_an_image_of_no_product_is_reported_where_the_tables_allow_one(seeded: Gallery) -> None:
    seeded.tell("ALTER TABLE images DROP FOREIGN KEY images_product")
    seeded.tell("UPDATE images SET product_id = 999999 WHERE file_path = %s", str(seeded.files("scratch")[0]))

    found = seeded.build()

    assert found["counts"]["skipped"] == {"no such product": 1}
    assert found["counts"]["written"] == defects(seeded) - 1
    (left_out,) = seeded.missing()
    assert left_out["address"] == str(seeded.files("scratch")[0])


def test_a_picture_that_announces_too_many_pixels_is_left_out_before_it_is_decoded(seeded: Gallery) -> None:
    bomb = seeded.files("scratch")[0]
    Image.new("1", (4000, 4000)).save(bomb, "PNG")
    most = seeded.settings.model_copy(update={"images_missing_share": 0.5, "images_max_pixels": 15_000_000})
    assert replace(seeded, settings=most).build()["counts"]["skipped"] == {"too large": 1}
    (left_out,) = seeded.missing()
    assert "4,000 × 4,000 pixels; at most 15,000,000 are taken" in left_out["detail"]


def test_an_index_that_would_lack_much_is_not_served(seeded: Gallery) -> None:
    before = seeded.build()["version"]
    for path in seeded.files("stain"):
        path.unlink()

    with pytest.raises(GateFailed, match="have no usable file .* missing"):
        seeded.build()
    assert seeded.served().name == before
    assert len(seeded.missing()) == len([row for row in seeded.metadata() if row["defect_code"] == "stain"])


def test_where_the_file_is_gone_its_object_is_taken(seeded: Gallery) -> None:
    first, other = seeded.files("scratch")[0], seeded.pictures / "kept" / "object.jpg"
    other.parent.mkdir()
    first.rename(other)
    seeded.tell("UPDATE images SET storage_url = %s WHERE file_path = %s", other.as_uri(), str(first))
    assert seeded.build()["counts"]["skipped"] == {}


def test_when_nothing_has_changed_nothing_is_embedded_and_nothing_new_is_served(seeded: Gallery) -> None:
    first = seeded.build()
    again = seeded.build()
    assert (again["outcome"], again["version"]) == ("unchanged", first["version"])
    assert (again["embedded"], again["reused"]) == (0, first["rows"])
    forced = seeded.build(force=True)
    assert (forced["outcome"], forced["embedded"]) == ("published", first["rows"])
    assert forced["version"] != first["version"]
    assert seeded.remains() == []


def test_only_what_has_changed_is_embedded_again(seeded: Gallery) -> None:
    first = seeded.build()
    changed, gone, *_ = seeded.files("dent")
    Image.new("RGB", (64, 64), "red").save(changed)
    seeded.tell("DELETE FROM images WHERE file_path = %s", str(gone))
    seeded.tell("UPDATE products SET product_name = 'Elm board' WHERE product_code = 'oak'")

    second = seeded.build()

    assert (second["outcome"], second["embedded"], second["reused"]) == ("published", 1, first["rows"] - 2)
    assert {row["product_name"] for row in seeded.metadata() if row["product_code"] == "oak"} == {"Elm board"}
    assert str(gone) not in {row["local_path"] for row in seeded.metadata()}
    before = np.load(seeded.folder().versions / first["version"] / "embeddings.npy")
    assert not np.allclose(before.mean(0), np.load(seeded.served().folder / "embeddings.npy").mean(0), atol=1e-4)


def test_a_change_of_metadata_alone_is_served_without_embedding(seeded: Gallery) -> None:
    first = seeded.build()
    seeded.tell("UPDATE products SET product_name = 'Elm board' WHERE product_code = 'oak'")
    second = seeded.build()
    assert (second["outcome"], second["embedded"], second["reused"]) == ("published", 0, first["rows"])


def test_embeddings_of_a_damaged_version_are_not_used_again(seeded: Gallery) -> None:
    first = seeded.build()
    (seeded.served().folder / "sources.json").chmod(0o644)
    (seeded.served().folder / "sources.json").write_text("{")
    assert seeded.build()["embedded"] == first["rows"]


def test_enough_images_are_indexed_by_a_trained_index(seeded: Gallery) -> None:
    """The same files again and again, as rows: 1,000 are too many for a flat index."""
    for _ in range(30):
        seeded.tell(
            "INSERT INTO images (file_path, product_id, defect_type_id, image_type) SELECT file_path, product_id, "
            "defect_type_id, image_type FROM images WHERE image_type = 'defect' LIMIT 40"
        )
    found = replace(seeded, settings=seeded.settings.model_copy(update={"images_page_rows": 400})).build()
    assert (found["kind"], found["rows"]) == ("ivf_sq8", 1200 + defects(seeded))


def test_a_model_that_is_not_served_fails_the_build_and_what_is_served_stays(seeded: Gallery) -> None:
    before = seeded.build()["version"]
    with pytest.raises(InputError, match="does not serve model"):
        seeded.build(model="clip_image")
    assert seeded.served().name == before


def test_a_database_that_does_not_answer_is_told_at_once(seeded: Gallery) -> None:
    settings = seeded.settings.model_copy(update={"images_mysql_url": "mysql://127.0.0.1:1/embsearch_images"})
    with pytest.raises(ServiceUnavailable, match="EMBSEARCH_IMAGES_MYSQL_URL"):
        replace(seeded, settings=settings).build()


def test_a_model_of_texts_is_refused(seeded: Gallery) -> None:
    with pytest.raises(InputError, match="takes text, not images"):
        seeded.build(model="minilm")


def test_a_manifest_says_what_a_version_is_made_of(seeded: Gallery) -> None:
    seeded.build()
    manifest = Manifest.read(seeded.served().folder)
    assert (manifest.origin.table, manifest.origin.watermark_id) == ("images", int(seeded.served().ids()[-1]))


def test_images_of_a_bucket_are_drawn_indexed_and_told_apart_by_their_etag(gallery: Gallery, s3: S3Server) -> None:
    more = {"images_roots": gallery.settings.images_roots, "images_stores": "s3://images/drawn"}
    gallery = replace(gallery, settings=gallery.settings.model_copy(update=s3.settings(**more)))
    assert seed(gallery.settings, images=10, target="s3://images/drawn")["rows"] == 10

    first = gallery.build()

    urls = [row["storage_url"] for row in gallery.metadata()]
    assert (first["rows"], {row["local_path"] for row in gallery.metadata()}) == (10, {None})
    assert urls[0] == "s3://images/drawn/oak_scratch_000000.jpg"
    assert gallery.build()["outcome"] == "unchanged"
    store = ObjectStore.from_settings(gallery.settings)
    store.write(urls[0], store.read(urls[1]), content_type="image/jpeg")
    assert gallery.build()["embedded"] == 1


def test_without_the_right_to_list_a_missing_object_is_left_out_and_a_key_that_opens_nothing_is_told(
    gallery: Gallery, s3: S3Server
) -> None:
    settings = gallery.settings.model_copy(update=s3.settings(images_stores="s3://images/rights"))
    seed(settings, images=10, target="s3://images/rights")
    store = ObjectStore.from_settings(settings)
    urls = [row.storage_url or "" for page in gallery.database().pages("defect") for row in page]
    objects = {url.removeprefix("s3:/"): store.read(url) for url in urls}
    del objects["/images/rights/oak_scratch_000000.jpg"]
    with without_right_to_list(objects) as address:
        more = {"images_s3_endpoint": address, "images_missing_share": 0.5}
        careful = replace(gallery, settings=settings.model_copy(update=more))
        found = careful.build()
        assert (found["counts"]["skipped"], found["counts"]["written"]) == ({"no right to read": 1}, len(urls) - 1)
        objects.clear()
        with pytest.raises(AccessDenied, match="EMBSEARCH_IMAGES_S3_KEY"):
            careful.build()
    assert careful.served().name == found["version"]


def test_a_store_that_does_not_answer_fails_the_build_and_reports_no_image_as_missing(
    gallery: Gallery, s3: S3Server
) -> None:
    settings = gallery.settings.model_copy(update=s3.settings(images_stores="s3://images/away"))
    seed(settings, images=10, target="s3://images/away")
    away = settings.model_copy(update={"images_s3_endpoint": "http://127.0.0.1:1", "images_s3_retries": 0})
    with pytest.raises(ServiceUnavailable, match="s3://images/away"):
        replace(gallery, settings=away).build()
    assert not (gallery.folder().root / "missing_images.jsonl").exists()
