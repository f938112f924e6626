"""Objects in a bucket and in a folder: written, read and deleted whole, and nothing beside."""

from __future__ import annotations

import os
import threading
import time
from pathlib import Path

import pytest

from include.objects.store import ObjectMissing, ObjectStore, TooLarge
from include.settings import Settings
from tests.integration.s3_server import S3Server, store_at

MEGABYTE = 1 << 20


@pytest.fixture(params=["file", "s3"])
def place(request: pytest.FixtureRequest, tmp_path: Path) -> tuple[ObjectStore, str]:
    """Both kinds of stores promise the same: one of each, and an address below it."""
    if request.param == "file":
        settings = Settings(_env_file=None, images_roots="", images_stores=f"file://{tmp_path}")
        return ObjectStore.from_settings(settings), f"file://{tmp_path}/{request.node.name[:20]}"
    server: S3Server = request.getfixturevalue("s3")
    return store_at(server.url), f"s3://images/{tmp_path.name}"


def test_what_was_written_is_read(place: tuple[ObjectStore, str]) -> None:
    store, below = place
    url = store.write(f"{below}/사진 1*?.jpg", b"first")
    assert store.read(url) == b"first"
    store.write(url, b"second, longer")
    assert store.read(url) == b"second, longer"
    assert store.stat(url).size == 14


def test_another_content_has_another_stamp(place: tuple[ObjectStore, str]) -> None:
    store, below = place
    url = store.write(f"{below}/x", b"first")
    before = store.stat(url)
    assert store.stat(url) == before
    time.sleep(0.01)
    store.write(url, b"other")
    assert store.stat(url) != before


def test_what_is_not_there_is_said(place: tuple[ObjectStore, str]) -> None:
    store, below = place
    for ask in (store.read, store.stat):
        with pytest.raises(ObjectMissing, match="is not there"):
            ask(f"{below}/gone.jpg")
    assert store.delete(f"{below}/gone.jpg") is False


def test_more_bytes_than_allowed_are_not_read(place: tuple[ObjectStore, str]) -> None:
    store, below = place
    url = store.write(f"{below}/large", os.urandom(2 * MEGABYTE))
    assert len(store.read(url, most_bytes=2 * MEGABYTE)) == 2 * MEGABYTE
    with pytest.raises(TooLarge, match="1,000 bytes"):
        store.read(url, most_bytes=1000)


def test_a_deletion_takes_one_object_though_its_name_looks_like_a_pattern(place: tuple[ObjectStore, str]) -> None:
    store, below = place
    others = [store.write(f"{below}/p/{name}", b"x") for name in ("ab", "a", "[ab]", "**")]
    url = store.write(f"{below}/p/*", b"x")
    assert store.delete(url) is True
    assert [store.read(each) for each in others] == [b"x"] * 4
    with pytest.raises(ObjectMissing):
        store.read(url)


def test_a_large_file_goes_up_in_parts(place: tuple[ObjectStore, str], tmp_path: Path) -> None:
    store, below = place
    file = tmp_path / "large.bin"
    file.write_bytes(os.urandom(20 * MEGABYTE))
    url = store.write(f"{below}/large.bin", file)
    assert store.read(url) == file.read_bytes()
    if url.startswith("s3://"):
        assert store.stat(url).stamp.endswith("-3")  # S3 marks what came in three parts


def test_large_bytes_go_up_in_parts(s3: S3Server) -> None:
    store, data = store_at(s3.url), os.urandom(17 * MEGABYTE)
    url = store.write("s3://images/bytes", data)
    assert store.read(url) == data
    assert "-" in store.stat(url).stamp


def test_many_threads_share_a_store(place: tuple[ObjectStore, str]) -> None:
    store, below = place
    faults: list[BaseException] = []

    def work(number: int) -> None:
        try:
            url = store.write(f"{below}/{number}", bytes([number]) * 1000)
            assert store.read(url) == bytes([number]) * 1000
        except BaseException as error:  # noqa: BLE001
            faults.append(error)

    threads = [threading.Thread(target=work, args=(number,)) for number in range(20)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert faults == []
