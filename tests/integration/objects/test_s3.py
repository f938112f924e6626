"""Buckets: which are there, whose key opens them, and what tells the contents of an object apart."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from include.errors import AccessDenied
from include.objects.locations import NotAllowed
from include.objects.store import BucketMissing
from tests.integration.s3_server import SECRET, S3Server, misbehaving, store_at


def test_a_bucket_that_is_missing_is_told_from_an_object(s3: S3Server) -> None:
    store = store_at(s3.url)
    ways: list[Callable[[str], Any]] = [store.read, store.stat, store.delete, lambda url: store.write(url, b"x")]
    for ask in ways:
        with pytest.raises(BucketMissing, match="no bucket 'no-such-bucket'"):
            ask("s3://no-such-bucket/x")


def test_a_wrong_key_is_told_without_the_secret(s3: S3Server) -> None:
    store = store_at(s3.url)
    url = store.write("s3://images/x", b"x")
    with s3.demanding_known_keys():
        for ask in (store.read, store.stat, store.delete, lambda url: store.write(url, b"x")):
            with pytest.raises(AccessDenied, match="EMBSEARCH_IMAGES_S3_KEY") as error:
                ask(url)
            assert SECRET not in str(error.value)
    assert SECRET not in repr(store)


def test_a_bucket_that_is_not_allowed_is_never_asked_for() -> None:
    with misbehaving(lambda connection: connection.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n")) as (
        url,
        asked,
    ):
        store = store_at(url)
        ways: list[Callable[[str], Any]] = [
            store.read, store.stat, store.delete, store.link, lambda url: store.write(url, b"x"),
        ]  # fmt: skip
        for ask in ways:
            with pytest.raises(NotAllowed):
                ask("s3://hidden/x")
        assert asked == []
        store.read("s3://images/x")
        assert len(asked) == 1, "which the store would have told"


def test_a_link_opens_the_object_without_a_key(s3: S3Server) -> None:
    import httpx

    store = store_at(s3.url)
    link = store.link(store.write("s3://images/shown.png", b"picture", content_type="image/png"))
    answer = httpx.get(link)
    assert (answer.content, answer.headers["content-type"]) == (b"picture", "image/png")
    assert SECRET not in link


def test_where_a_store_has_no_etag_the_time_of_change_tells_contents_apart() -> None:
    stamps = set()
    for second in ("01", "02"):
        head = f"HTTP/1.1 200 OK\r\nContent-Length: 5\r\nLast-Modified: Fri, 02 Jan 2026 03:04:{second} GMT\r\n\r\n"
        with misbehaving(lambda connection, head=head: connection.sendall(head.encode())) as (url, _):
            stamps.add(store_at(url).stat("s3://images/x.jpg").stamp)
    assert len(stamps) == 2
