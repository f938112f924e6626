"""Which goals the figures have."""

from __future__ import annotations

from typing import Any

import pytest

from include.cli import bench
from include.settings import Settings

pytestmark = pytest.mark.usefixtures("bare_settings")


@pytest.mark.parametrize(("amx", "goals"), [(True, [5.0, 6.5]), (False, [1.8, 1.8])])
def test_the_goals_of_embedding_are_those_of_the_cpu_whatever_the_runtime(
    monkeypatch: pytest.MonkeyPatch, *, amx: bool, goals: list[float]
) -> None:
    medians = {"in_process": 100.0, "triton_64": 300.0, "triton_256": 400.0}
    found: dict[str, Any] = {"runtime": "openvino", "median": medians}
    monkeypatch.setattr("include.bench.embed.embed_figures", lambda *_, **__: found)
    monkeypatch.setattr("include.model_export.launch.exported_folder", lambda *_, **__: None)
    monkeypatch.setattr(bench, "machine", lambda: {"amx": amx})
    figures = bench.embed(Settings(_env_file=None), 1.0)
    assert [figure.goal for figure in figures] == goals
