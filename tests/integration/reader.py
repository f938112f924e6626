"""Readers who ask all the while that something changes, and what they were answered."""

from __future__ import annotations

import threading
import time
from collections import Counter
from collections.abc import Callable, Hashable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass, field

from include.elastic.connection import EsConnection, connect
from include.elastic.index_generations import IndexGenerations
from include.errors import ServiceUnavailable
from include.settings import Settings


class NoAnswer(Exception):
    """What a question raises that nobody was there to answer: it counts neither as an answer nor as a failure."""


@dataclass
class Readers:
    """How often each answer was given so far, and what was raised instead of one."""

    answered: Counter[Hashable] = field(default_factory=Counter)
    failed: list[Exception] = field(default_factory=list)

    def wait_for(self, met: Callable[[], bool], *, seconds: float = 120) -> None:
        """Until what they were answered is enough, or one of them was not answered."""
        deadline = time.monotonic() + seconds
        while not met():
            assert self.failed == []
            assert time.monotonic() < deadline, self
            time.sleep(0.002)

    def wait_for_more(self, count: int = 8) -> None:
        """Let so many more questions be answered."""
        target = self.answered.total() + count
        self.wait_for(lambda: self.answered.total() >= target)


@contextmanager
def reading(*questions: Callable[[], Hashable]) -> Iterator[Readers]:
    """Each question is asked without pause from a thread of its own; some are answered before and after, none fails."""
    found, over, counting = Readers(), threading.Event(), threading.Lock()

    def ask(question: Callable[[], Hashable]) -> None:
        while not over.is_set():
            try:
                answer = question()
            except NoAnswer:
                continue
            except Exception as error:  # noqa: BLE001 - whatever it is, there must be none
                found.failed.append(error)
                return
            with counting:
                found.answered[answer] += 1

    with ThreadPoolExecutor(len(questions)) as threads:
        try:
            threads.map(ask, questions)
            found.wait_for_more()
            yield found
            found.wait_for_more()
        finally:
            over.set()
    assert found.failed == []


@contextmanager
def sees_only_whole_index(settings: Settings, alias: str, *, before: int, after: int) -> Iterator[None]:
    """:func:`sees_only_whole` for an index of Elasticsearch."""
    with connect(EsConnection.from_settings(settings)) as client:
        generations = IndexGenerations(client, alias)
        with sees_only_whole(lambda: generations.count(alias), before=before, after=after):
            yield


@contextmanager
def sees_only_whole(count: Callable[[], int], *, before: int, after: int) -> Iterator[None]:
    """Ask ``count`` again and again: it must give what was served before or what is served after, nothing in between.

    While the server is away nobody sees anything; before and after, both are seen.
    """

    def look() -> int:
        time.sleep(0.01)
        try:
            return count()
        except ServiceUnavailable as error:
            time.sleep(0.2)
            raise NoAnswer from error

    assert count() == before
    with reading(look) as readers:
        yield
    assert set(readers.answered) == {before, after}
    assert count() == after
