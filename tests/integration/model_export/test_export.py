"""Exports by the real exporter, in its own environment."""

from __future__ import annotations

import json
import logging
import os
import subprocess
from pathlib import Path
from typing import Any

import pytest

from include.catalog.models import get_model
from include.errors import InputError
from include.generations.files import sha256_of
from include.local_stack.environments import ensure
from include.model_export.launch import export_model
from include.model_export.manifest import Manifest
from include.settings import PROJECT_ROOT, Settings


@pytest.fixture(scope="module")
def outcomes(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    """What became of a good export and of several wrong ones, all of the demo model."""
    script = Path(__file__).with_name("gate_cases.py")
    answer = subprocess.run(
        [ensure(Settings(), "export"), script, tmp_path_factory.mktemp("gate")],
        env={**os.environ, "PYTHONPATH": str(PROJECT_ROOT)},
        capture_output=True,
        text=True,
        check=False,
        timeout=550,
    )
    assert answer.returncode == 0, answer.stderr
    found: dict[str, Any] = json.loads(answer.stdout)
    return found


def test_the_accepted_model_is_whole_and_says_where_it_comes_from(exported_minilm: Path) -> None:
    manifest = Manifest.read(exported_minilm)

    assert sorted(path.name for path in exported_minilm.iterdir()) == ["manifest.json", "model.onnx", "tokenizer.json"]
    assert manifest.files == {name: sha256_of(exported_minilm / name) for name in ("model.onnx", "tokenizer.json")}
    assert (manifest.name, manifest.revision, manifest.dimension, manifest.max_length) == ("minilm", "0.1.0", 384, 256)
    assert manifest.gate.min_cosine >= 0.9999
    assert {(1, 1), (64, 1), (1, 8), (64, 8), (1, 256), (64, 256)} == set(manifest.gate.shapes)
    assert len(manifest.reference.vectors) == len(manifest.reference.texts) > 40


def test_the_second_route_passes_the_same_gate(outcomes: dict[str, Any]) -> None:
    assert outcomes["good"]["figures"]["min_cosine"] >= 0.9999
    assert outcomes["good"]["figures"]["max_norm_error"] <= 1e-4


def test_the_same_request_gives_the_same_bytes(outcomes: dict[str, Any]) -> None:
    assert outcomes["good again"]["files"] == outcomes["good"]["files"]


@pytest.mark.parametrize(
    ("case", "check"),
    [
        ("not normalised", "check 'norm': largest |norm - 1| is "),
        ("wrongly pooled", "check 'cosine to the source model': smallest is "),
        ("fixed batch", "check 'dynamic axes'"),
        ("broken edge", "check 'onnx.checker'"),
        ("other output", "check 'inputs and outputs'"),
    ],
)
def test_a_wrong_export_is_refused_by_the_name_of_the_check(outcomes: dict[str, Any], case: str, check: str) -> None:
    assert check in outcomes[case]["refused"]
    assert outcomes[case]["left"] == []


def test_an_export_that_stands_is_not_made_again(exported_minilm: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    before = (exported_minilm / "model.onnx").stat().st_mtime_ns

    def never(_settings: Settings, _name: str) -> Path:
        raise AssertionError("the export environment is not needed")

    monkeypatch.setattr("include.model_export.launch.ensure", never)
    again = export_model("minilm", Settings(state_dir=PROJECT_ROOT / ".local" / "cache" / "tests"))

    assert again == exported_minilm
    assert (exported_minilm / "model.onnx").stat().st_mtime_ns == before


def test_a_source_that_is_not_there_is_the_callers_error_with_its_log_passed_on(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    wrong = get_model("minilm").model_copy(update={"revision": "9.9.9"})
    catalogue = tmp_path / "models.yaml"
    entry = wrong.model_dump_json(exclude={"name"})
    catalogue.write_text(f'{{"minilm": {entry}}}')
    caplog.set_level(logging.INFO)

    with pytest.raises(InputError, match=r"0\.1\.0 is installed, but the catalogue asks for 9\.9\.9"):
        export_model("minilm", Settings(state_dir=tmp_path), catalogue=catalogue)

    assert "asks for 9.9.9" in caplog.text
