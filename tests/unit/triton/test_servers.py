"""Which server is asked, and what is tried again; servers that answer are in tests/integration/triton."""

from __future__ import annotations

import asyncio
from collections import Counter
from typing import Any

import pytest
from tritonclient.utils import InferenceServerException

from include.errors import InputError, ServiceUnavailable
from include.triton import servers
from include.triton.faults import NotLoaded, OtherModel, TooSlow
from include.triton.servers import Servers

A, B = "http://a:1", "http://b:2"
GONE = ConnectionResetError("gone")
BUSY = InferenceServerException("busy", status="503")
REFUSED = InferenceServerException("unexpected shape", status="400")
UNKNOWN = InferenceServerException("Request for unknown model: 'x' is not found", status="404")


class Connected(Servers):
    """Servers that are there; ``faults`` holds what each will say before it answers with its URL."""

    def __init__(self, faults: dict[str, list[Exception]], *, urls: tuple[str, ...] = (A, B), concurrency: int = 4):
        super().__init__(urls, concurrency=concurrency, timeout_seconds=5)
        self.faults = faults
        self.asked: list[str] = []

    async def _connection(self, url: str) -> Any:
        return None

    async def answer(self, _: Any, url: str) -> str:
        self.asked.append(url)
        if self.faults.get(url):
            raise self.faults[url].pop(0)
        return url


def ask(found: Connected, *, patience: float = 20) -> str:
    return asyncio.run(found.ask(found.answer, patience=patience))


def test_a_passing_fault_is_tried_again_until_it_is_gone() -> None:
    found = Connected({A: [GONE, BUSY]}, urls=(A,))
    assert ask(found) == A
    assert found.asked == [A, A, A]


def test_a_request_that_a_server_is_still_working_on_is_not_sent_again() -> None:
    found = Connected({A: [TimeoutError()] * 9, B: [TimeoutError()] * 9})
    with pytest.raises(TooSlow, match="more work than it can do"):
        ask(found)
    assert len(found.asked) == 1


def test_the_next_server_is_asked_at_once() -> None:
    found = Connected({A: [GONE] * 9})
    assert ask(found, patience=0) == B
    assert found.asked == [A, B]


def test_a_final_fault_is_not_tried_again() -> None:
    found = Connected({A: [REFUSED]})
    with pytest.raises(InputError, match="unexpected shape"):
        ask(found)
    assert found.asked == [A]


def test_after_the_deadline_the_last_fault_is_told() -> None:
    found = Connected({A: [GONE] * 1000}, urls=(A,))
    with pytest.raises(ServiceUnavailable, match="gone"):
        ask(found, patience=0.3)
    assert len(found.asked) >= 2


def test_a_model_that_one_server_lacks_is_asked_of_the_others() -> None:
    assert ask(Connected({A: [UNKNOWN]})) == B


def test_that_a_server_is_away_counts_more_than_that_another_lacks_the_model() -> None:
    found = Connected({A: [GONE], B: [UNKNOWN]})
    assert ask(found) in {A, B}
    with pytest.raises(NotLoaded):
        ask(Connected({A: [UNKNOWN], B: [UNKNOWN]}))


def test_a_version_that_moves_while_it_is_looked_for_is_found_by_a_second_look() -> None:
    moved = OtherModel("another version")
    assert ask(Connected({A: [moved], B: [moved]}), patience=0) in {A, B}
    with pytest.raises(OtherModel):
        ask(Connected({A: [moved] * 2, B: [moved] * 2}), patience=0)


def test_requests_go_to_the_server_with_the_fewest_under_way() -> None:
    async def three_slow_ones_at_a_then_many() -> Counter[str]:
        found = Connected({}, concurrency=9)
        found._in_flight[A] = 3
        begun: Counter[str] = Counter()

        async def stay(_: Any, url: str) -> None:
            begun[url] += 1
            await asyncio.sleep(0.05)

        await asyncio.gather(*(found.ask(stay, patience=0) for _ in range(5)))
        return begun

    assert asyncio.run(three_slow_ones_at_a_then_many()) == {B: 4, A: 1}


def test_equally_busy_servers_are_asked_in_turn() -> None:
    found = Connected({})
    for _ in range(4):
        ask(found)
    assert Counter(found.asked) == {A: 2, B: 2}


def test_a_server_that_failed_is_asked_last_for_a_while(monkeypatch: pytest.MonkeyPatch) -> None:
    found = Connected({A: [GONE]})
    for _ in range(6):
        ask(found)
    assert Counter(found.asked) == {A: 1, B: 6}
    monkeypatch.setattr(servers, "REST_SECONDS", 0.0)
    found._rests_until.clear()
    for _ in range(4):
        ask(found)
    assert Counter(found.asked) == {A: 3, B: 8}


def test_no_more_requests_are_under_way_than_there_are_permits() -> None:
    async def most_at_once() -> int:
        found = Connected({}, concurrency=3)
        under_way, most = 0, 0

        async def count(_: Any, url: str) -> None:
            nonlocal under_way, most
            under_way += 1
            most = max(most, under_way)
            await asyncio.sleep(0.01)
            under_way -= 1

        await asyncio.gather(*(found.ask(count, patience=0) for _ in range(20)))
        return most

    assert asyncio.run(most_at_once()) == 3
