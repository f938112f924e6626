"""Deletions that are refused are tried again until nothing was settled for the deadline, and no longer."""

from __future__ import annotations

import itertools
from collections.abc import Iterator, Sequence
from types import SimpleNamespace
from typing import Any

import orjson
import pytest

from include.elastic import pace
from include.elastic.removal import Removed, remove_documents
from include.errors import FatalError, ServiceUnavailable

DELETED = {"status": 200, "result": "deleted"}
MISSING = {"status": 404, "result": "not_found"}
BUSY = {"status": 429, "error": {"type": "es_rejected_execution_exception", "reason": "too much to do"}}
BLOCKED = {"status": 403, "error": {"type": "cluster_block_exception", "reason": "index [g1] blocked by: write"}}
GONE = {"status": 404, "error": {"type": "index_not_found_exception", "reason": "no such index [g1]"}}

SECONDS = 5.0
MANY = 100  # requests: who sends as many would never end


class Server:
    """A client whose every request takes a second; items are answered one after the other by ``answers``."""

    def __init__(self, answers: Iterator[dict[str, Any]]) -> None:
        self._answers = answers
        self.now = 0.0
        self.requests: list[list[str]] = []
        self.indices = SimpleNamespace(exists=lambda **_: True)
        node = SimpleNamespace(base_url="http://es:9200")
        self.transport = SimpleNamespace(node_pool=SimpleNamespace(all=lambda: [node]))

    def bulk(self, *, operations: bytes, **_: object) -> dict[str, Any]:
        ids = [orjson.loads(line)["delete"]["_id"] for line in operations.splitlines()]
        self.requests.append(ids)
        assert len(self.requests) < MANY
        self.now += 1
        return {"items": [{"delete": next(self._answers)} for _ in ids]}


def remove(monkeypatch: pytest.MonkeyPatch, server: Server, ids: Sequence[str]) -> Removed:
    """With the server's clock, and no waits between the tries."""
    monkeypatch.setattr(pace, "time", SimpleNamespace(monotonic=lambda: server.now))
    monkeypatch.setattr(pace, "random", SimpleNamespace(random=lambda: 0.0))
    client: Any = server
    return remove_documents(client, "g1", ids, version=1, deadline_seconds=SECONDS)


@pytest.mark.parametrize("refusal", [BUSY, BLOCKED], ids=["busy", "blocked"])
def test_a_server_that_refuses_every_deletion_is_given_up_at_the_deadline(
    monkeypatch: pytest.MonkeyPatch, refusal: dict[str, Any]
) -> None:
    server = Server(itertools.repeat(refusal))
    with pytest.raises(ServiceUnavailable, match=r"2 deletions of g1 are refused.*Gave up after 5 s without progress"):
        remove(monkeypatch, server, ["a", "b"])
    assert server.requests == [["a", "b"]] * 6  # the first, and one for each second


def test_each_deletion_that_is_settled_begins_the_time_anew(monkeypatch: pytest.MonkeyPatch) -> None:
    ids = [f"d{number}" for number in range(4)]

    def one_of_four() -> Iterator[dict[str, Any]]:
        for left in range(len(ids), 0, -1):
            for _ in range(3):  # requests of which all items are refused
                yield from [BUSY] * left
            yield from [DELETED if left % 2 else MISSING, *[BUSY] * (left - 1)]

    server = Server(one_of_four())
    assert remove(monkeypatch, server, ids) == Removed(deleted=2, missing=2)
    assert len(server.requests) == 16
    assert server.requests[-1] == ["d3"]


def test_a_deletion_that_cannot_succeed_is_not_tried_again(monkeypatch: pytest.MonkeyPatch) -> None:
    server = Server(iter([DELETED, GONE]))
    with pytest.raises(FatalError, match=r"cannot delete 'b' from g1.*no such index"):
        remove(monkeypatch, server, ["a", "b"])
    assert len(server.requests) == 1
