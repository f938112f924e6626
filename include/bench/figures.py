"""One figure: what was measured, against what, and the ratio that was promised."""

from __future__ import annotations

import os
import platform
import statistics
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from include.generations.files import write_json

REPEATS = 3


@dataclass(frozen=True)
class Figure:
    """A ratio with its two sides; greater is better unless ``at_most``. Without a ``goal`` it is only told."""

    name: str
    ours: float
    baseline: float
    unit: str
    goal: float | None
    at_most: bool = False
    details: dict[str, Any] = field(default_factory=dict)

    @property
    def ratio(self) -> float:
        """Ours over the baseline."""
        return self.ours / self.baseline

    @property
    def reached(self) -> bool | None:
        """Whether the goal is met; ``None`` where there is none."""
        if self.goal is None:
            return None
        return self.ratio <= self.goal if self.at_most else self.ratio >= self.goal


def median_pairs(
    ours: Callable[[], float], baseline: Callable[[], float], repeats: int = REPEATS
) -> tuple[float, float, list[tuple[float, float]]]:
    """Run both in turn, ``repeats`` times, so that a machine that slows down slows both; medians and all pairs."""
    pairs = [(ours(), baseline()) for _ in range(repeats)]
    return statistics.median(a for a, _ in pairs), statistics.median(b for _, b in pairs), pairs


def rate(rows: int, work: Callable[[], object]) -> float:
    """Rows a second of wall time."""
    began = time.perf_counter()
    work()
    return rows / (time.perf_counter() - began)


def machine() -> dict[str, Any]:
    """What the figures are taken on, and its load now: ask before anything is measured."""
    cpuinfo = Path("/proc/cpuinfo").read_text(encoding="utf-8")
    flags = set(cpuinfo.split())
    return {
        "cores": os.cpu_count(),
        "python": platform.python_version(),
        "avx512_bf16": "avx512_bf16" in flags,
        "amx": "amx_bf16" in flags,
        "load_before": os.getloadavg()[0],
    }


def save(figures: Sequence[Figure], path: Path, before: Mapping[str, Any], *, scale: float = 1.0) -> None:
    """Write figures as JSON, with the time and the share of the full sizes that they were taken at.

    ``before`` is :func:`machine` as it was before the first of them.
    """
    rows = [{**asdict(f), "ratio": f.ratio, "reached": f.reached} for f in figures]
    found = {"time": datetime.now(UTC).isoformat(), "machine": dict(before), "scale": scale, "figures": rows}
    write_json(path, found)
