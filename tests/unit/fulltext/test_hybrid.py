"""Many searches at once, over runners that wait for something: told by events, never by how fast anything is."""

from __future__ import annotations

import logging
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager

import pytest

from include.errors import ContractError, InputError, ServiceUnavailable
from include.fulltext.deadline import ends_within
from include.fulltext.hybrid import SEARCHES, HybridRunner
from include.fulltext.results import DocumentWithScore, Filters, Runner

READERS = 8
LONG = 30.0  # seconds until a test that would wait for ever fails


class Meeting:
    """Answers when as many searches as are to meet are under way, and not before."""

    def __init__(self, barrier: threading.Barrier) -> None:
        self.barrier = barrier

    def search(self, query: str, top_k: int, filters: Filters | None = None) -> list[DocumentWithScore]:
        self.barrier.wait(LONG)
        return [DocumentWithScore(query, 1.0, {})]


class Held:
    """Answers when it may, and says when it was asked."""

    def __init__(self) -> None:
        self.asked, self.go_on = threading.Event(), threading.Event()

    def search(self, query: str, top_k: int, filters: Filters | None = None) -> list[DocumentWithScore]:
        self.asked.set()
        assert self.go_on.wait(LONG)
        return [DocumentWithScore(query, 1.0, {})]


class Told(logging.Handler):
    """Keeps what the log says, and lets go on what waits for it."""

    def __init__(self, go_on: threading.Event) -> None:
        super().__init__(logging.WARNING)
        self.go_on = go_on
        self.messages: list[str] = []

    def emit(self, record: logging.LogRecord) -> None:
        self.messages.append(record.getMessage())
        self.go_on.set()


@contextmanager
def told(handler: logging.Handler, name: str) -> Iterator[None]:
    log = logging.getLogger(name)
    log.addHandler(handler)
    try:
        yield
    finally:
        log.removeHandler(handler)


class Failing:
    def search(self, query: str, top_k: int, filters: Filters | None = None) -> list[DocumentWithScore]:
        raise ContractError("the model is gone")


@contextmanager
def hybrid(runners: dict[str, Runner], **options: object) -> Iterator[HybridRunner]:
    found = HybridRunner(runners, **options)  # type: ignore[arg-type]
    try:
        yield found
    finally:
        found.close()


def test_all_runners_of_eight_readers_are_asked_at_the_same_time() -> None:
    meeting = Meeting(threading.Barrier(READERS * 2))
    with hybrid({"vector": meeting, "fulltext": meeting}) as both, ThreadPoolExecutor(READERS) as readers:
        found = list(readers.map(lambda number: both.search(f"query {number}", 1), range(READERS)))
    assert [[one.text for one in each] for each in found] == [[f"query {number}"] for number in range(READERS)]
    assert READERS <= SEARCHES


def test_a_search_beyond_them_waits_for_its_turn_and_the_log_says_so() -> None:
    held = Held()
    waiting = Told(held.go_on)
    with (
        hybrid({"held": held}, searches=1) as both,
        told(waiting, "include.fulltext.hybrid"),
        ThreadPoolExecutor(2) as readers,
    ):
        first = readers.submit(both.search, "first", 1)
        assert held.asked.wait(LONG)
        second = readers.submit(both.search, "second", 1)
        assert [one.result(LONG)[0].text for one in (first, second)] == ["first", "second"]
    assert waiting.messages == [
        "A hybrid search waits for its turn behind the 1 that go on at once, and so has less time itself"
    ]


def test_a_search_that_gets_no_turn_is_told_so_and_not_that_a_server_is_slow() -> None:
    held = Held()
    with hybrid({"held": held}, searches=1) as both, ThreadPoolExecutor(1) as reader:
        first = reader.submit(both.search, "first", 1)
        assert held.asked.wait(LONG)
        expected = r"not begun: in [\d.e-]+ s it had no turn behind the 1 .* EMBSEARCH_FULLTEXT_TIMEOUT_SECONDS"
        with ends_within(0.02), pytest.raises(ServiceUnavailable, match=expected):
            both.search("second", 1)
        held.go_on.set()
        assert first.result(LONG)[0].text == "first"


def test_what_gets_no_turn_finds_nothing_where_faults_are_soft(caplog: pytest.LogCaptureFixture) -> None:
    held = Held()
    with hybrid({"held": held}, searches=1, faults="soft") as both, ThreadPoolExecutor(1) as reader:
        first = reader.submit(both.search, "first", 1)
        assert held.asked.wait(LONG)
        with ends_within(0.02):
            assert both.search("second", 1) == []
        held.go_on.set()
        first.result(LONG)
    assert "hybrid search finds nothing, because it failed: The hybrid search was not begun" in caplog.text


def test_a_search_whose_first_runner_fails_gives_its_turn_away_when_all_of_them_have_ended() -> None:
    held = Held()
    with hybrid({"failing": Failing(), "held": held}, searches=1) as both, ThreadPoolExecutor(1) as reader:
        first = reader.submit(both.search, "first", 1)
        assert held.asked.wait(LONG)
        with ends_within(0.02), pytest.raises(ServiceUnavailable, match="had no turn"):
            both.search("second", 1)
        held.go_on.set()
        with pytest.raises(ContractError, match="the model is gone"):
            first.result(LONG)
        with pytest.raises(ContractError, match="the model is gone"):
            both.search("third", 1)


def test_no_search_at_once_is_refused() -> None:
    with pytest.raises(InputError, match="searches is 0"):
        HybridRunner({}, searches=0)
