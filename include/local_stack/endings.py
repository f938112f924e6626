"""How a command is ended from outside. Needs the standard library alone: installing uses it, too."""

from __future__ import annotations

import signal
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType

ENDINGS = (signal.SIGTERM, signal.SIGHUP)  # what `kill` and a closed terminal send


@contextmanager
def ended_like_ctrl_c() -> Iterator[None]:
    """`kill` and a closed terminal stop what was begun, as Ctrl-C does; what `nohup` shields from stays shielded."""

    def interrupt(_signal: int, _frame: FrameType | None) -> None:
        for number in before:  # a terminal and `make` may both send one: the second must not break the clean ending
            signal.signal(number, signal.SIG_IGN)
        raise KeyboardInterrupt

    found = {number: signal.getsignal(number) for number in ENDINGS}
    before = {number: handler for number, handler in found.items() if handler not in (signal.SIG_IGN, None)}
    for number in before:
        signal.signal(number, interrupt)
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
