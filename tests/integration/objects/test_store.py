"""Images in a bucket and in folders: whole, bounded, and nothing beside."""

from __future__ import annotations

import os
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from include.errors import AccessDenied, InputError, ServiceUnavailable, SetupError
from include.local_stack.ports import free_ports
from include.objects.locations import NotAllowed
from include.objects.store import BucketMissing, ObjectMissing, ObjectStore, TooLarge
from include.settings import Settings
from tests.integration.s3_server import SECRET, S3Server, misbehaving, store_at

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


# S3


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


def test_a_bucket_that_is_there_but_not_allowed_is_never_asked_for(s3: S3Server) -> None:
    store = store_at(s3.url)
    ways: list[Callable[[str], Any]] = [
        store.read, store.stat, store.delete, store.link, lambda url: store.write(url, b"x"),
    ]  # fmt: skip
    for ask in ways:
        with pytest.raises(NotAllowed):
            ask("s3://hidden/x")


def test_a_link_opens_the_object_without_a_key(s3: S3Server) -> None:
    import httpx

    store = store_at(s3.url)
    link = store.link(store.write("s3://images/shown.png", b"picture", content_type="image/png"))
    answer = httpx.get(link)
    assert (answer.content, answer.headers["content-type"]) == (b"picture", "image/png")
    assert SECRET not in link


def test_a_server_that_does_not_answer_is_unavailable() -> None:
    (port,) = free_ports(1)
    for ask in (store_at(f"http://127.0.0.1:{port}").read, store_at(f"http://127.0.0.1:{port}").stat):
        with pytest.raises(ServiceUnavailable, match="does not answer"):
            ask("s3://images/x")


HEAD = b'HTTP/1.1 200 OK\r\nContent-Type: image/jpeg\r\nETag: "x"\r\n'


def hangs(connection: Any) -> None:
    connection.recv(1)


def breaks_off(connection: Any) -> None:
    connection.sendall(HEAD + b"Content-Length: 1000000\r\n\r\n" + b"x" * 1000)


def trickles(connection: Any) -> None:
    connection.sendall(HEAD + b"Content-Length: 1000000\r\n\r\n")
    while True:
        connection.sendall(b"x")
        time.sleep(0.2)


def is_no_s3(connection: Any) -> None:
    connection.sendall(b"SSH-2.0-OpenSSH_9.2\r\n")


def is_overloaded(connection: Any) -> None:
    body = b"<Error><Code>SlowDown</Code><Message>Please reduce your request rate.</Message></Error>"
    connection.sendall(b"HTTP/1.1 503 Slow Down\r\nContent-Length: %d\r\n\r\n%s" % (len(body), body))


@pytest.mark.parametrize(
    "answer", [hangs, breaks_off, trickles, is_no_s3, is_overloaded], ids=lambda each: each.__name__
)
def test_a_slow_or_broken_store_is_given_up_in_time(answer: Callable[[Any], object]) -> None:
    with misbehaving(answer) as (url, _):
        began = time.monotonic()
        with pytest.raises(
            ServiceUnavailable, match=r"s3://images/x: the store at http://127.0.0.1:\d+ does not answer"
        ):
            store_at(url, images_s3_total_seconds=2.0).read("s3://images/x")
        assert time.monotonic() - began < 30


def test_a_passing_fault_is_ridden_out() -> None:
    answers = iter([is_overloaded, is_overloaded])

    def recovers(connection: Any) -> None:
        again = next(answers, None)
        if again:
            again(connection)
        else:
            connection.sendall(HEAD + b"Content-Length: 4\r\n\r\nfine")

    with misbehaving(recovers) as (url, asked):
        store = store_at(url, images_s3_retries=3, images_s3_total_seconds=60.0)
        assert store.read("s3://images/x") == b"fine"
        assert len(asked) == 3


def test_a_store_that_sends_more_than_it_says_is_cut_off() -> None:
    def endless(connection: Any) -> None:
        connection.sendall(HEAD + b"Transfer-Encoding: chunked\r\n\r\n")
        while True:
            connection.sendall(b"10000\r\n" + b"x" * 65536 + b"\r\n")

    with misbehaving(endless) as (url, _), pytest.raises(TooLarge):
        store_at(url).read("s3://images/x", most_bytes=1_000_000)


@pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
def test_a_redirect_to_a_private_address_is_not_followed(status: int) -> None:
    def inside(connection: Any) -> None:
        connection.sendall(HEAD + b"Content-Length: 6\r\n\r\nsecret")

    with misbehaving(inside) as (private, hits):

        def redirects(connection: Any) -> None:
            there = f"HTTP/1.1 {status} Moved\r\nLocation: {private}/latest/meta-data\r\nContent-Length: 0\r\n\r\n"
            connection.sendall(there.encode())

        with misbehaving(redirects) as (url, asked):
            store = store_at(url)
            for ask in (store.read, store.stat, store.delete, lambda address: store.write(address, b"x")):
                with pytest.raises(SetupError, match="sends elsewhere, where nobody follows"):
                    ask("s3://images/x")
            assert len(asked) == 4
        assert hits == []


# Local files


@pytest.fixture
def local(tmp_path: Path) -> tuple[ObjectStore, Path]:
    root = tmp_path / "root"
    root.mkdir()
    (tmp_path / "secret").write_text("secret")
    return ObjectStore.from_settings(Settings(_env_file=None, images_roots=str(root), images_stores="")), root


def test_what_is_no_file_is_refused_at_once(local: tuple[ObjectStore, Path]) -> None:
    store, root = local
    os.mkfifo(root / "pipe")
    (root / "folder").mkdir()
    for name in ("pipe", "folder"):
        with pytest.raises(InputError, match="not a regular file"):
            store.read(str(root / name))


def test_a_file_without_the_right_to_read_says_so(local: tuple[ObjectStore, Path], monkeypatch: Any) -> None:
    store, root = local

    def denied(*_: Any, **__: Any) -> int:
        raise PermissionError(13, "Permission denied")

    (root / "x").write_text("x")
    monkeypatch.setattr(os, "open", denied)
    with pytest.raises(AccessDenied, match="Permission denied"):
        store.read(str(root / "x"))


def test_a_link_that_turns_while_it_is_looked_at_leads_nowhere(local: tuple[ObjectStore, Path], tmp_path: Path) -> None:
    store, root = local
    (root / "good").write_text("good")
    link, done = root / "link", threading.Event()
    link.symlink_to(root / "good")

    def turn() -> None:
        number = 0
        while not done.is_set():
            number += 1
            new = root / f".new{number % 2}"
            new.symlink_to(tmp_path / "secret" if number % 2 else root / "good")
            new.replace(link)

    turning = threading.Thread(target=turn)
    turning.start()
    found = set()
    try:
        for _ in range(2000):
            try:
                found.add(store.read(str(link)))
            except NotAllowed:
                found.add(b"refused")
    finally:
        done.set()
        turning.join()
    assert b"secret" not in found


def test_a_write_that_fails_leaves_nothing_behind(local: tuple[ObjectStore, Path]) -> None:
    store, root = local
    (root / "taken").mkdir()
    with pytest.raises(InputError):
        store.write(str(root / "taken"), b"x")
    assert sorted(path.name for path in root.rglob("*")) == ["taken"]


def test_where_a_store_has_no_etag_the_time_of_change_tells_contents_apart() -> None:
    stamps = set()
    for second in ("01", "02"):
        head = f"HTTP/1.1 200 OK\r\nContent-Length: 5\r\nLast-Modified: Fri, 02 Jan 2026 03:04:{second} GMT\r\n\r\n"
        with misbehaving(lambda connection, head=head: connection.sendall(head.encode())) as (url, _):
            stamps.add(store_at(url).stat("s3://images/x.jpg").stamp)
    assert len(stamps) == 2
