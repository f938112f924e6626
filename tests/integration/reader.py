"""A reader who looks at what is served all the while."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager

from include.elastic.connection import EsConnection, connect
from include.elastic.index_generations import IndexGenerations
from include.errors import ServiceUnavailable
from include.settings import Settings


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

    While the server is away nobody sees anything.
    """
    assert count() == before
    over = threading.Event()

    def look() -> list[int]:
        seen = []
        while not over.wait(0.01):
            try:
                seen.append(count())
            except ServiceUnavailable:
                over.wait(0.2)
        return seen

    with ThreadPoolExecutor(1) as pool:
        looking = pool.submit(look)
        try:
            yield
        finally:
            over.set()
        seen = looking.result(timeout=60)
    assert before in seen
    assert set(seen) <= {before, after}
    assert count() == after
