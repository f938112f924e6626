"""A server of S3 that is away, slow, broken, or sends elsewhere."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any

import pytest

from include.errors import ServiceUnavailable, SetupError
from include.local_stack.ports import free_ports
from include.objects.store import TooLarge
from tests.integration.s3_server import misbehaving, store_at


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
