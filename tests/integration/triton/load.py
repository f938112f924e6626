"""Clients that ask without pause, and count what they were answered and what not."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager
from functools import partial

import numpy as np

from include.settings import Settings
from include.triton.client import TritonClient, Vectors
from tests.integration.reader import Readers, reading

# The last one is longer than 128 tokens, so that a model that takes fewer gives it another vector.
TEXTS = [*(f"waterproof hiking backpack {number}" for number in range(7)), " ".join(map(str, range(200)))]


@contextmanager
def load(
    settings: Settings,
    versions: Mapping[str, Vectors],
    *,
    clients: int = 4,
    deadline_seconds: float = 0.0,
    fingerprint: str | None = None,
) -> Iterator[Readers]:
    """Embed ``TEXTS`` by so many clients all the while: none may fail, and each answer is of one version.

    Without ``deadline_seconds`` no request is tried twice. ``versions`` holds each version's vectors of ``TEXTS``.
    """

    def embed(client: TritonClient) -> str:
        return which(client.embed("minilm", TEXTS, fingerprint=fingerprint), versions)

    with ExitStack() as opened:
        asking = [
            opened.enter_context(TritonClient(settings.kserve_url, concurrency=1, deadline_seconds=deadline_seconds))
            for _ in range(clients)
        ]
        with reading(*(partial(embed, client) for client in asking)) as found:
            yield found
    assert set(found.answered) <= set(versions)


def which(vectors: Vectors, versions: Mapping[str, Vectors]) -> str:
    """The version that all of ``vectors`` are of."""
    same = [name for name, expected in versions.items() if np.allclose(vectors, expected, atol=1e-3)]
    return same[0] if len(same) == 1 else f"of {same or 'none'}"
