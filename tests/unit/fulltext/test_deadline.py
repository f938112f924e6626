"""All that a search asks ends at one moment."""

from __future__ import annotations

import json
import math
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from types import SimpleNamespace
from typing import Any

import pytest
from elasticsearch import Elasticsearch

from include.elastic.connection import EsConnection
from include.errors import InputError, ServiceUnavailable
from include.fulltext.analysis import Analysis
from include.fulltext.cluster import SearchCluster, Served
from include.fulltext.deadline import ends_within, in_time, left
from include.fulltext.hybrid import HybridRunner
from include.fulltext.results import DocumentWithScore, Filters
from include.fulltext.runners import TOGETHER, VectorRunner

ANALYSIS = Analysis("tokens", "whitespace", "whitespace")


@contextmanager
def slow_cluster(seconds: float) -> Iterator[str]:
    """Answers each request of a search after ``seconds``, everything else at once."""

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self.answer({"status": "green"})

        def do_POST(self) -> None:
            self.rfile.read(int(self.headers["content-length"]))
            time.sleep(seconds)
            self.answer({"responses": [{"status": 200, "hits": {"hits": []}}]})

        def answer(self, body: dict[str, Any]) -> None:
            raw = json.dumps(body).encode()
            self.send_response(200)
            for name, value in (
                ("x-elastic-product", "Elasticsearch"),
                ("content-type", "application/vnd.elasticsearch+json;compatible-with=9"),
                ("content-length", str(len(raw))),
            ):
                self.send_header(name, value)
            self.end_headers()
            self.wfile.write(raw)

        def log_message(self, *args: Any) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.daemon_threads = True
    threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True).start()
    try:
        yield f"http://127.0.0.1:{server.server_address[1]}"
    finally:
        server.shutdown()
        server.server_close()


class Asked:
    """A runner that notes how much time it is told to have."""

    def __init__(self) -> None:
        self.seconds: list[float] = []

    def search(self, query: str, top_k: int, filters: Filters | None = None) -> list[DocumentWithScore]:
        self.seconds.append(left())
        return []


class OneByOne:
    """Documents whose chunks are asked for slowly, and never found."""

    def __init__(self, faults: str, seconds: float) -> None:
        self.faults, self.seconds, self.asked = faults, seconds, 0

    def having(self, *_: Any) -> list[DocumentWithScore]:
        self.asked += 1
        time.sleep(self.seconds)
        if not left():
            raise ServiceUnavailable("the time is over")
        return []


def vector_runner(documents: OneByOne, monkeypatch: pytest.MonkeyPatch, *, seconds: float) -> VectorRunner:
    """Its store and its model answer at once, with very many texts."""
    vectors = SimpleNamespace(points=TOGETHER * 20, model_fingerprint="f" * 64)
    model = SimpleNamespace(embed=lambda *_, **__: None)
    monkeypatch.setattr(VectorRunner, "_vectors_of", lambda *_: vectors)
    monkeypatch.setattr(VectorRunner, "_embedder", lambda *_: model)
    monkeypatch.setattr(VectorRunner, "_texts", lambda _, __, ___, count: {f"{n:032x}": 0.5 for n in range(count)})
    none: Any = None
    given: Any = documents
    return VectorRunner(given, ["c"], none, none, "minilm", seconds=seconds)


def test_what_is_inside_has_no_more_time_than_what_is_around_it() -> None:
    assert left() == math.inf
    with ends_within(10):
        with ends_within(100):
            assert 9 < left() <= 10
        with ends_within(0):
            assert left() == 0
        assert 9 < left() <= 10
    assert left() == math.inf


def test_work_that_knows_of_no_end_is_given_up_in_time() -> None:
    never = threading.Event()
    began = time.monotonic()
    with ends_within(0.2), pytest.raises(ServiceUnavailable, match="index build .* EMBSEARCH_FULLTEXT_TIMEOUT_SECONDS"):
        in_time("search", lambda: never.wait(60))
    assert time.monotonic() - began < 5
    never.set()


def test_work_in_time_knows_the_end_and_its_errors_are_those_of_the_caller() -> None:
    with ends_within(10):
        assert 9 < in_time("search", left) <= 10

    def wrong() -> None:
        raise InputError("the question is wrong")

    with pytest.raises(InputError, match="the question is wrong"):
        in_time("search", wrong)


def test_several_requests_to_a_slow_cluster_have_one_time_together() -> None:
    with slow_cluster(0.3) as url:
        cluster = SearchCluster(EsConnection((url,)), seconds=1.0, retries=10)
        asked = []

        def work(client: Elasticsearch) -> None:
            for number in range(20):
                asked.append(number)
                cluster.ask(client, [(Served("c", "c__g1", ANALYSIS), {})])

        began = time.monotonic()
        with pytest.raises(ServiceUnavailable, match="does not answer in time"):
            cluster.within(work)
        assert time.monotonic() - began < 3
        assert 1 < len(asked) < 20
        cluster.close()


def test_nor_has_a_part_of_a_search_more_than_is_left_to_the_search() -> None:
    with slow_cluster(5) as url:
        cluster = SearchCluster(EsConnection((url,)), seconds=60, retries=10)
        began = time.monotonic()
        with ends_within(0.5), pytest.raises(ServiceUnavailable):
            cluster.within(lambda client: cluster.ask(client, [(Served("c", "c__g1", ANALYSIS), {})]))
        assert time.monotonic() - began < 3
        cluster.close()


@pytest.mark.parametrize("each", [0.2, 30.0])
def test_a_search_by_meaning_asks_for_chunks_no_longer_than_its_time_lasts(
    each: float, monkeypatch: pytest.MonkeyPatch
) -> None:
    documents = OneByOne("strict", each)
    began = time.monotonic()
    with pytest.raises(ServiceUnavailable):
        vector_runner(documents, monkeypatch, seconds=0.5).search("tent", 10)
    assert time.monotonic() - began < 3
    assert 1 <= documents.asked < 8
    assert vector_runner(OneByOne("soft", each), monkeypatch, seconds=0.5).search("tent", 10) == []


def test_runners_that_are_merged_have_one_time_that_begins_with_the_search() -> None:
    first, second = Asked(), Asked()
    hybrid = HybridRunner({"first": first, "second": second}, seconds=10)
    hybrid.search("tent", 10)
    assert 9 < first.seconds[0] <= 10
    assert 9 < second.seconds[0] <= 10
    with ends_within(0):
        hybrid.search("tent", 10)
    assert first.seconds[1] == second.seconds[1] == 0
    hybrid.close()
