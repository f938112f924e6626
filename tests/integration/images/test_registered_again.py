"""A temporary image that is registered again lives for a day from then, however close a clean-up comes."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from fastapi.testclient import TestClient
from sqlalchemy import text

from include.errors import ServiceUnavailable, TransientError
from include.images.api import registering
from include.images.cleanup import clean_up
from include.images.database import ImageDatabase
from include.images.parameters import ImageCleanupParameters
from include.objects.store import ObjectMissing, ObjectStore
from tests.integration.images.served import ServedImages

URL = "s3://images/queries/again.jpg"
OLD = text("UPDATE images SET upload_date = upload_date - INTERVAL 25 HOUR WHERE storage_url = :url")


@pytest.fixture
def store(images: ServedImages) -> Iterator[ObjectStore]:
    """With an object that was registered more than a day ago."""
    store = ObjectStore.from_settings(images.settings)
    store.write(URL, b"first")
    with images.client() as client:
        assert register(images, client).status_code == 201
    grow_old(images)
    yield store
    store.delete(URL)
    with ImageDatabase.from_settings(images.settings) as database, database.session("end") as session:
        session.execute(text("DELETE FROM images WHERE storage_url = :url"), {"url": URL})


def register(images: ServedImages, client: TestClient) -> Any:
    product = images.some("dent").name.split("_")[0]
    return client.post("/api/worker/image/register", json={"storage_url": URL, "product_code": product})


def grow_old(images: ServedImages) -> None:
    with ImageDatabase.from_settings(images.settings) as database, database.session("age") as session:
        session.execute(OLD, {"url": URL})


def clean(images: ServedImages) -> dict[str, Any]:
    return clean_up(ImageCleanupParameters(), datetime.now(UTC), images.settings)


def rows(images: ServedImages) -> int:
    with ImageDatabase.from_settings(images.settings) as database:
        return sum(row.storage_url == URL for page in database.pages("query_temp") for row in page)


def test_it_lives_for_a_day_from_the_last_registration(
    images: ServedImages, client: TestClient, store: ObjectStore
) -> None:
    store.write(URL, b"second")
    asked_at = datetime.now(UTC)
    answer = register(images, client)
    assert answer.status_code == 201
    assert datetime.fromisoformat(answer.json()["delete_after"]) >= asked_at + timedelta(hours=24, seconds=-1)

    assert clean(images)["objects"] == {"still used": 1}
    assert (store.read(URL), rows(images)) == (b"second", 1)

    grow_old(images)
    assert clean(images)["objects"] == {"deleted": 1}
    assert rows(images) == 0


def test_a_registration_between_the_look_and_the_deletion_keeps_the_object(
    images: ServedImages, client: TestClient, store: ObjectStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    look = ImageDatabase.temporary

    def looking(*args: Any, **more: Any) -> Any:
        found = look(*args, **more)
        if found:
            store.write(URL, b"second")
            assert register(images, client).status_code == 201
        return found

    monkeypatch.setattr(ImageDatabase, "temporary", looking)
    assert clean(images)["objects"] == {"still used": 1}
    assert (store.read(URL), rows(images)) == (b"second", 1)


def test_a_row_that_is_renewed_between_the_look_and_the_deletion_stays_with_its_object(
    images: ServedImages, store: ObjectStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    """By whoever else writes into the table."""
    look = ImageDatabase.temporary

    def looking(self: ImageDatabase, *args: Any, **more: Any) -> Any:
        found = look(self, *args, **more)
        with self.session("renew") as session:
            session.execute(text("UPDATE images SET upload_date = UTC_TIMESTAMP(3) WHERE storage_url = :u"), {"u": URL})
        return found

    monkeypatch.setattr(ImageDatabase, "temporary", looking)
    assert clean(images)["counts"]["skipped"] == {"deleted or renewed meanwhile": 1}
    assert (store.read(URL), rows(images)) == (b"first", 1)


def test_who_registers_what_is_being_deleted_waits_and_is_told_that_it_is_gone(
    images: ServedImages, client: TestClient, store: ObjectStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(registering, "LOCK_SECONDS", 300)
    monkeypatch.setattr(registering, "ANSWER_SECONDS", 600.0)
    with deleting(monkeypatch, lambda: register(images, client), until=lambda _: somebody_waits(images)) as answers:
        assert clean(images)["objects"] == {"deleted": 1}
    (answer,) = answers
    assert (answer.result().status_code, answer.result().json()["error"]["code"]) == (404, "not_found")
    assert rows(images) == 0

    store.write(URL, b"second")
    assert register(images, client).status_code == 201
    assert clean(images)["counts"]["read"] == 0
    assert store.read(URL) == b"second"


def test_who_registers_what_is_being_deleted_for_long_is_told_to_try_again(
    images: ServedImages, client: TestClient, store: ObjectStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(registering, "LOCK_SECONDS", 0)
    with deleting(monkeypatch, lambda: register(images, client), until=Future.done) as answers:
        assert clean(images)["objects"] == {"deleted": 1}
    assert (answers[0].result().status_code, answers[0].result().json()["error"]["code"]) == (409, "busy")


def test_a_clean_up_passes_over_what_is_being_registered(images: ServedImages, store: ObjectStore) -> None:
    with ImageDatabase.from_settings(images.settings) as database, database.alone_with([URL]) as alone:
        assert alone
        assert clean(images)["counts"]["skipped"] == {"in use now": 1}
        assert (store.read(URL), rows(images)) == (b"first", 1)
    assert clean(images)["objects"] == {"deleted": 1}
    with pytest.raises(ObjectMissing):
        store.read(URL)


def test_an_object_that_cannot_be_deleted_keeps_its_row_though_it_was_looked_at_again(
    images: ServedImages, store: ObjectStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    def away(*_: Any) -> bool:
        raise ServiceUnavailable("the store is away")

    with monkeypatch.context() as patch:
        patch.setattr(ObjectStore, "delete", away)
        with pytest.raises(TransientError, match="1 of 1 temporary images"):
            clean(images)
    assert rows(images) == 1
    assert clean(images)["objects"] == {"deleted": 1}, "the lock was let go, and the next run deletes it"


@contextmanager
def deleting(
    monkeypatch: pytest.MonkeyPatch,
    meanwhile: Callable[[], Any],
    *,
    until: Callable[[Future[Any]], bool],
) -> Iterator[list[Future[Any]]]:
    """While the object is being deleted ``meanwhile`` begins, and the deletion goes on when ``until`` says so."""
    delete, answers = ObjectStore.delete, list[Future[Any]]()

    with ThreadPoolExecutor(1) as thread, monkeypatch.context() as patch:

        def slowly(store: ObjectStore, address: str) -> bool:
            answers.append(thread.submit(meanwhile))
            deadline = time.monotonic() + 120
            while not until(answers[0]):
                assert time.monotonic() < deadline
                time.sleep(0.01)
            return delete(store, address)

        patch.setattr(ObjectStore, "delete", slowly)
        yield answers


def somebody_waits(images: ServedImages) -> bool:
    """Whether the database lets somebody wait for a lock."""
    waiting = text("SELECT COUNT(*) FROM information_schema.processlist WHERE state = 'User lock'")
    with ImageDatabase.from_settings(images.settings) as database, database.session("look") as session:
        return bool(session.execute(waiting).scalar_one())
