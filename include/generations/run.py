"""Who asks for a build."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime


@dataclass(frozen=True)
class Run:
    """One asking: the same run asking again, after an interruption, gets its own build back."""

    key: str  # the same for the same work done again, never of the try number
    date: datetime  # what the run is for: the end of its data interval
    repeats: bool = True  # every build of this key is this run's own; False: only one that can still be finished
    start: datetime | None = None  # of its data interval; None: it was started by hand and has none
