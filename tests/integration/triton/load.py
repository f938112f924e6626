"""Clients that ask without pause, and count what they were answered and what not."""

from __future__ import annotations

import threading
import time
from collections import Counter
from collections.abc import Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass, field

import numpy as np

from include.errors import EmbsearchError
from include.settings import Settings
from include.triton.client import TritonClient, Vectors

# The last one is longer than 128 tokens, so that a model that takes fewer gives it another vector.
TEXTS = [*(f"waterproof hiking backpack {number}" for number in range(7)), " ".join(map(str, range(200)))]


@dataclass
class Load:
    """What became of the requests so far; an answer is counted by the version whose vectors it holds."""

    answered: Counter[str] = field(default_factory=Counter)
    failed: list[str] = field(default_factory=list)

    def wait_for_more(self, count: int = 8) -> None:
        """Let so many more requests be answered."""
        target = self.answered.total() + count
        deadline = time.monotonic() + 120
        while self.answered.total() < target:
            assert not self.failed
            assert time.monotonic() < deadline, self
            time.sleep(0.01)


@contextmanager
def load(
    settings: Settings,
    versions: Mapping[str, Vectors],
    *,
    clients: int = 4,
    deadline_seconds: float = 0.0,
    fingerprint: str | None = None,
) -> Iterator[Load]:
    """Embed ``TEXTS`` from ``clients`` threads all the while: none may fail, and each answer is of one version.

    Without ``deadline_seconds`` no request is tried twice. ``versions`` holds each version's vectors of ``TEXTS``.
    """
    found, over = Load(), threading.Event()

    def ask_all_the_time() -> None:
        with TritonClient(settings.kserve_url, concurrency=1, deadline_seconds=deadline_seconds) as client:
            while not over.is_set():
                try:
                    vectors = client.embed("minilm", TEXTS, fingerprint=fingerprint)
                except EmbsearchError as error:
                    found.failed.append(str(error))
                else:
                    found.answered[which(vectors, versions)] += 1

    with ThreadPoolExecutor(clients) as threads:
        running = [threads.submit(ask_all_the_time) for _ in range(clients)]
        try:
            found.wait_for_more()
            yield found
            found.wait_for_more()
        finally:
            over.set()
        for future in running:
            future.result()
    assert found.failed == []
    assert set(found.answered) <= set(versions)


def which(vectors: Vectors, versions: Mapping[str, Vectors]) -> str:
    """The version that all of ``vectors`` are of."""
    same = [name for name, expected in versions.items() if np.allclose(vectors, expected, atol=1e-3)]
    return same[0] if len(same) == 1 else f"of {same or 'none'}"
