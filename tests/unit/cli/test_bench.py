"""Which goals the figures have, and what is written with them."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

import pytest

from include.bench.figures import Figure
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


def test_the_load_that_is_written_is_that_before_anything_was_measured(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    load = [0.25]

    def measure(*_: object) -> list[Figure]:
        load[0] = 2.0
        return [Figure("name", 4, 2, "s", None)]

    monkeypatch.setattr(os, "getloadavg", lambda: (load[0], 0.0, 0.0))
    monkeypatch.setitem(bench.STAGES, "search", measure)
    monkeypatch.setattr(bench, "get_settings", lambda: Settings(_env_file=None, log_dir=tmp_path / "logs"))
    bench.run(["search"], tmp_path / "figures.json", 1.0)
    assert json.loads((tmp_path / "figures.json").read_text())["machine"]["load_before"] == 0.25
