"""Who may write into the served index of links, and when its name may move."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from include.generations.locks import locked
from include.settings import Settings

WAIT_FOR_PUBLISH_SECONDS = 3600


@contextmanager
def writing_index(settings: Settings, index: str, *, purpose: str, alone: bool) -> Iterator[None]:
    """Let several write into the served index at once, but none while a new generation takes its name."""
    path = settings.state_dir / "locks" / f"links-{index}.lock"
    with locked(path, purpose=purpose, wait_seconds=WAIT_FOR_PUBLISH_SECONDS, shared=not alone):
        yield
