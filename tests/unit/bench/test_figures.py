"""Figures and their goals."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from include.bench.figures import Figure, save


@pytest.mark.parametrize(
    ("goal", "at_most", "reached"),
    [(2, False, True), (3, False, False), (2, True, True), (1, True, False), (None, False, None), (None, True, None)],
)
def test_a_figure_without_a_goal_neither_reaches_nor_misses_it(
    tmp_path: Path, goal: float | None, reached: bool | None, *, at_most: bool
) -> None:
    figure = Figure("name", 4, 2, "s", goal, at_most=at_most)
    save([figure], tmp_path / "figures.json", {"cores": 2})
    (written,) = json.loads((tmp_path / "figures.json").read_text())["figures"]
    assert (figure.reached, written["reached"], written["goal"]) == (reached, reached, goal)
