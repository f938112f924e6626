"""The tables of images on the real MariaDB."""

from __future__ import annotations

import threading
import time
from datetime import UTC, datetime, timedelta

import pytest
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext

from include.errors import AccessDenied, InputError, ServiceUnavailable
from include.images.schema import migrate
from include.images.tables import Base
from tests.integration.images.gallery import Gallery, days_ago


@pytest.fixture
def seeded(gallery: Gallery) -> Gallery:
    gallery.seed(50)
    return gallery


def test_the_migration_makes_the_tables_once(gallery: Gallery) -> None:
    assert migrate(gallery.settings) == ["0001_image_tables"]
    assert migrate(gallery.settings) == []


def test_tables_that_are_there_already_are_kept(seeded: Gallery) -> None:
    seeded.tell("DROP TABLE alembic_version")
    assert migrate(seeded.settings) == ["0001_image_tables"]
    with seeded.database() as database:
        assert database.count("defect") == 42


def test_two_migrations_at_once_make_one(gallery: Gallery) -> None:
    done: list[list[str]] = []
    threads = [threading.Thread(target=lambda: done.append(migrate(gallery.settings))) for _ in range(2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(done) == [[], ["0001_image_tables"]]


def test_the_models_say_what_the_migration_makes(seeded: Gallery) -> None:
    with seeded.database(owner=True) as database, database.session("compare") as session:
        context = MigrationContext.configure(session.connection(), opts={"compare_type": True})
        assert compare_metadata(context, Base.metadata) == []


def test_type_product_and_defect_are_indexed_and_a_type_is_read_by_its_index(seeded: Gallery) -> None:
    with seeded.database() as database, database.session("look") as session:
        connection = session.connection()
        indexed = {(row[2], row[4]) for row in connection.exec_driver_sql("SHOW INDEX FROM images")}
        assert {
            ("idx_images_type", "image_type"),
            ("idx_images_product", "product_id"),
            ("idx_images_defect", "defect_type_id"),
        } <= indexed
        plan = connection.exec_driver_sql(
            "EXPLAIN SELECT image_id FROM images WHERE image_type = 'normal' AND image_id > 3 ORDER BY image_id LIMIT 7"
        ).one()
        assert plan.key == "idx_images_type"
        assert "filesort" not in plan.Extra


def test_pages_bring_every_image_of_a_type_once_by_ascending_id(seeded: Gallery) -> None:
    with seeded.database() as database:
        pages = list(database.pages("defect"))
        ids = [row.image_id for page in pages for row in page]
        assert [len(page) for page in pages] == [7] * 6
        assert ids == sorted(set(ids))
        assert len(ids) == database.count("defect") == 42
        assert list(database.pages("query_temp")) == []


def test_a_server_that_is_started_again_in_the_middle_is_waited_for(seeded: Gallery) -> None:
    with seeded.database() as database:
        pages = database.pages("defect")
        first = next(pages)
        seeded.server.kill()
        rest: list[int] = []
        reading = threading.Thread(target=lambda: rest.extend(len(page) for page in pages))
        reading.start()
        time.sleep(0.3)
        seeded.server.start()
        reading.join()
        assert len(first) + sum(rest) == 42


def test_a_server_that_does_not_come_back_is_told(seeded: Gallery) -> None:
    settings = seeded.settings.model_copy(update={"images_mysql_url": "mysql://127.0.0.1:1/embsearch_images"})
    from include.images.database import ImageDatabase

    with (
        ImageDatabase.from_settings(settings, retry_seconds=0.1) as database,
        pytest.raises(ServiceUnavailable, match=r"cannot read images.*EMBSEARCH_IMAGES_MYSQL_URL"),
    ):
        list(database.pages("normal"))


def test_tables_that_are_missing_are_named_with_what_makes_them(gallery: Gallery) -> None:
    with gallery.database() as database, pytest.raises(InputError, match="embsearch images migrate"):
        database.count("normal")


def test_a_wrong_password_is_told_without_it(gallery: Gallery) -> None:
    settings = gallery.settings.model_copy(update={"images_mysql_user": "nobody"})
    from include.images.database import ImageDatabase

    with ImageDatabase.from_settings(settings) as database, pytest.raises(AccessDenied, match="IMAGES_MYSQL_USER") as e:
        database.ping()
    assert "reads-only" not in str(e.value)


def test_a_temporary_image_is_registered_with_its_product_and_defect(seeded: Gallery) -> None:
    with seeded.database() as database:
        number = database.register("s3://images/queries/1.jpg", "oak", "dent")
        other = database.register("s3://images/queries/2.jpg", "oak")
        assert {row.image_id: row.defect_code for page in database.pages("query_temp") for row in page} == {
            number: "dent",
            other: "normal",
        }
        assert database.temporary(datetime.now(UTC) - timedelta(minutes=1)) == []
        found = database.temporary(datetime.now(UTC) + timedelta(minutes=1))
        assert [(each.image_id, each.storage_url) for each in found] == [
            (number, "s3://images/queries/1.jpg"),
            (other, "s3://images/queries/2.jpg"),
        ]
        assert database.delete_temporary(number)
        assert not database.delete_temporary(number)


def test_an_image_that_is_registered_again_is_the_same(seeded: Gallery) -> None:
    """As a caller does who was not answered in time."""
    with seeded.database() as database:
        number = database.register("s3://images/queries/1.jpg", "oak", "dent")
        since = database.registered_at(number)
        assert database.register("s3://images/queries/1.jpg", "oak", "dent") == number
        assert database.registered_at(number) == since
        assert database.register("s3://images/queries/1.jpg", "oak") != number


def test_an_image_that_is_registered_again_later_lives_from_then(seeded: Gallery) -> None:
    url = "s3://images/queries/1.jpg"
    with seeded.database() as database:
        first = database.register(url, "oak", "dent")
        seeded.tell("UPDATE images SET upload_date = %s WHERE image_id = %s", days_ago(0.9), first)
        again = database.register(url, "oak", "dent")
        assert database.registered_at(again) > datetime.now(UTC) - timedelta(hours=1)
        assert database.is_shared(url, first), "what the first row goes with stays"
        assert database.register(url, "oak", "dent") == again


def test_a_place_is_locked_by_one_at_a_time_by_whichever_of_its_names(seeded: Gallery) -> None:
    linked = seeded.pictures / "linked"
    linked.symlink_to(seeded.pictures)
    own, other = (seeded.pictures / name for name in ("1.jpg", "2.jpg"))
    with seeded.database() as database, seeded.database() as elsewhere:
        with database.alone_with([str(own), "s3://images/1.jpg"]) as alone:
            assert alone
            for name in (str(own), own.as_uri(), str(linked / "1.jpg"), "s3://images/1.jpg"):
                with elsewhere.alone_with([str(other), name]) as second:
                    assert not second
                with elsewhere.alone_with([str(other)]) as third:
                    assert third, "nor is any part of it kept by who did not get all"
        with elsewhere.alone_with([str(own)]) as free:
            assert free


@pytest.mark.parametrize(
    ("url", "product", "defect", "reason"),
    [
        ("s3://images/1.jpg", "none", None, "no product 'none'"),
        ("s3://images/1.jpg", "' OR '1'='1", None, "no product"),
        ("s3://images/1.jpg", "oak", "none", "no defect 'none'"),
        ("http://127.0.0.1/1.jpg", "oak", None, "is not the address of an image"),
    ],
)
def test_what_cannot_be_registered_is_refused(
    seeded: Gallery, url: str, product: str, defect: str | None, reason: str
) -> None:
    with seeded.database() as database, pytest.raises(InputError, match=reason):
        database.register(url, product, defect)


def test_an_image_of_the_tables_is_never_registered_as_temporary(seeded: Gallery) -> None:
    """It would be deleted after a day."""
    own = seeded.files("dent")[0]
    with seeded.database() as database:
        for address in (str(own), own.as_uri()):
            with pytest.raises(InputError, match="is an image of the tables"):
                database.register(address, "oak", "dent")


def test_only_temporary_images_are_ever_deleted(seeded: Gallery) -> None:
    seeded.tell("UPDATE images SET upload_date = %s", days_ago(9))
    with seeded.database() as database:
        first = next(database.pages("defect"))[0].image_id
        assert not database.delete_temporary(first)
        assert database.temporary(datetime.now(UTC)) == []
