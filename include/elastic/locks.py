"""Who may write into a served index, and when its name may move."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack, contextmanager

from include.generations.locks import locked
from include.settings import Settings

WAIT_SECONDS = 3600


@contextmanager
def writing_index(settings: Settings, alias: str, *, purpose: str, alone: bool) -> Iterator[None]:
    """Let several write into the index that ``alias`` serves at once, but none while the name moves.

    Who waits to be alone is passed by nobody: without a turn, writers that come one after the other would keep it out.

    Raises:
        Busy: it was held for an hour; the message says by whom.
    """
    folder = settings.state_dir / "locks"
    with ExitStack() as stack:
        with locked(folder / f"index-{alias}.turn.lock", purpose=purpose, wait_seconds=WAIT_SECONDS):
            path = folder / f"index-{alias}.lock"
            stack.enter_context(locked(path, purpose=purpose, wait_seconds=WAIT_SECONDS, shared=not alone))
        yield
