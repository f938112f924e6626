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
from include.generations.locks import locked
from include.local_stack.environments import ensure
from include.model_export.launch import export_model
from include.model_export.manifest import Manifest
from include.settings import PROJECT_ROOT, Settings
from tests.integration.export_cache import export_settings


@pytest.fixture(scope="module")
def outcomes(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    """What became of small models of the true architectures, exported rightly and wrongly."""
    script = Path(__file__).with_name("export_cases.py")
    root = tmp_path_factory.mktemp("exports")
    answer = subprocess.run(
        [ensure(Settings(), "export"), script, root],
        env={**os.environ, "PYTHONPATH": str(PROJECT_ROOT)},
        capture_output=True,
        text=True,
        check=False,
        timeout=550,
    )
    assert answer.returncode == 0, answer.stderr
    found: dict[str, Any] = json.loads((root / "outcomes.json").read_text())
    return found


def test_the_accepted_model_is_whole_and_says_where_it_comes_from(exported_minilm: Path) -> None:
    manifest = Manifest.read(exported_minilm)

    assert {path.name for path in exported_minilm.iterdir()} == {"manifest.json", *manifest.files}
    assert {"model.onnx", "tokenizer.json"} <= manifest.files.keys()
    assert manifest.files == {name: sha256_of(exported_minilm / name) for name in manifest.files}
    assert (manifest.name, manifest.revision, manifest.dimension, manifest.max_length) == ("minilm", "0.1.0", 384, 256)
    assert (manifest.kind, manifest.precision, manifest.fused) == ("text", "fp32", {})
    assert manifest.gate.min_cosine >= 0.9999
    assert {(1, 1), (64, 1), (1, 8), (64, 8), (1, 256), (64, 256)} == set(manifest.gate.shapes)
    assert len(manifest.reference.vectors) == len(manifest.reference.texts) > 30


@pytest.mark.parametrize(
    ("case", "route"),
    [
        ("ruri fp32", "optimum"),
        ("ruri fp16", "torch"),
        ("ruri int8", "optimum"),
        ("e5 fp32", "optimum"),
        ("e5 fp32 fused", "torch"),
        ("e5 int8", "optimum"),
        ("bge_m3 fp32", "torch"),
        ("bge_m3 fp16", "torch"),
        ("clip_text fp32", "torch"),
        ("clip_image fp32", "torch"),
        ("clip_image fp16", "torch"),
        ("clap_text fp32", "torch"),
        ("clap_audio fp32", "torch"),
    ],
)
def test_every_kind_of_model_passes_the_gate_at_its_precisions(outcomes: dict[str, Any], case: str, route: str) -> None:
    made = outcomes[case]
    smallest, mean = {"fp32": (0.9999, 0.9999), "fp16": (0.999, 0.999), "int8": (0.95, 0.98)}[made["precision"]]

    assert made["route"] == route
    assert made["gate"]["min_cosine"] >= smallest
    assert made["gate"]["mean_cosine"] >= mean
    assert made["gate"]["max_norm_error"] <= 1e-4
    assert Path(made["folder"]).name.startswith("-".join(case.split()[1:]))


def test_batch_and_length_are_open_up_to_64_texts_of_512_tokens(outcomes: dict[str, Any]) -> None:
    shapes = {tuple(shape) for shape in outcomes["ruri fp32"]["gate"]["shapes"]}
    assert shapes == {(1, 1), (64, 1), (1, 8), (64, 8), (1, 512), (64, 512)}
    assert outcomes["clip_image fp32"]["gate"]["shapes"] == [[1, 3, 32, 32], [64, 3, 32, 32]]
    assert outcomes["clap_audio fp32"]["gate"]["shapes"] == [[1, 1, 1001, 64], [64, 1, 1001, 64]]


def test_a_text_of_nearly_the_longest_is_compared_up_to_what_a_cpu_bears(outcomes: dict[str, Any]) -> None:
    assert 2040 <= outcomes["long text"] <= 2048
    for case in ("ruri fp32", "clip_text fp32"):
        assert outcomes[case]["gate"]["texts"] == len(outcomes[case]["reference"]["texts"]) + 1


def test_a_source_without_modules_is_pooled_as_the_catalogue_names_it(outcomes: dict[str, Any]) -> None:
    assert outcomes["pooling named"]["pooling"] == "cls"
    assert outcomes["pooling named"]["gate"]["min_cosine"] >= 0.9999


def test_texts_are_those_of_the_languages_that_the_entry_names(outcomes: dict[str, Any]) -> None:
    texts = {case: outcomes[case]["reference"]["texts"] for case in ("ruri fp32", "clip_text fp32", "e5 fp32")}

    assert "お茶" in texts["ruri fp32"]
    assert "tent" not in texts["ruri fp32"]
    assert "tent" in texts["clip_text fp32"]
    assert {"tent", "お茶", "전기밥솥 10인용", "女士跑步鞋 透气 浅蓝色"} <= set(texts["e5 fp32"])


def test_lexical_weights_are_the_source_models_and_none_is_of_a_special_token(outcomes: dict[str, Any]) -> None:
    made = outcomes["bge_m3 fp32"]
    weights = made["reference"]["weights"]
    tokens = {int(token) for row in weights for token in row}

    assert made["gate"]["max_weight_error"] <= 1e-3
    assert len(weights) == len(made["reference"]["texts"])
    assert len(tokens) > 50
    assert tokens.isdisjoint({0, 1, 2, 3})  # begin, padding, end, unknown
    assert all(weight > 0 for row in weights for weight in row.values())


def test_a_manifest_says_which_operators_were_fused(outcomes: dict[str, Any]) -> None:
    assert outcomes["e5 fp32 fused"]["fused"] == {"Attention": 3, "BiasGelu": 3, "SkipLayerNormalization": 6}
    assert outcomes["e5 fp32"]["fused"] == {}


def test_integers_are_accepted_by_rank_agreement_too(outcomes: dict[str, Any]) -> None:
    gate = outcomes["ruri int8"]["gate"]
    assert gate["floors"]["top10_overlap"] == 0.85 <= gate["top10_overlap"]


def test_pictures_and_sounds_are_prepared_as_transformers_does(outcomes: dict[str, Any]) -> None:
    errors = outcomes["preprocess errors"]
    assert errors["pixels"] <= 1e-6  # of values between about -2 and 2
    assert errors["decibels"] <= 1e-4


def test_pictures_and_sounds_go_along_for_the_live_check(outcomes: dict[str, Any]) -> None:
    for case, ending in (("clip_image fp32", ".png"), ("clap_audio fp32", ".npy")):
        reference = outcomes[case]["reference"]
        assert len(reference["files"]) == len(reference["vectors"]) == 6
        assert all(name.endswith(ending) and name in outcomes[case]["files"] for name in reference["files"])
    assert "mel_filters.npy" in outcomes["clap_audio fp32"]["files"]
    assert outcomes["clap_audio fp32"]["preprocess"]["sample_rate"] == 48_000


def test_weights_above_the_limit_of_one_file_go_into_a_second_that_is_hashed_as_well(outcomes: dict[str, Any]) -> None:
    large = outcomes["large"]

    assert {"model.onnx", "model.onnx.data"} <= large["files"].keys()
    assert large["hashed"]
    assert large["gate"]["min_cosine"] >= 0.9999
    assert len({(Path(large["folder"]) / name).stat().st_mode for name in large["files"] if "onnx" in name}) == 1
    assert [8, 512] in large["gate"]["shapes"]  # fewer than 64, for memory's sake


@pytest.mark.parametrize("case", ["e5 fp32", "ruri fp16", "e5 int8", "clip_image fp32"])
def test_the_same_request_gives_the_same_bytes(outcomes: dict[str, Any], case: str) -> None:
    assert outcomes[f"{case} again"]["folder"] != outcomes[case]["folder"]
    assert outcomes[f"{case} again"]["files"] == outcomes[case]["files"]


@pytest.mark.parametrize(
    ("case", "check"),
    [
        ("not normalised", "GateFailed: .*check 'norm': largest .norm - 1. is "),
        ("wrongly pooled", "GateFailed: .*check 'cosine to the source model': smallest is "),
        ("dropout left on", "GateFailed: .*check 'dropout'"),
        ("noise", "GateFailed: .*check 'dropout'"),
        ("mask not heeded", "GateFailed: .*check 'cosine to the source model': smallest is "),
        ("fixed batch", "GateFailed: .*check 'dynamic axes'"),
        ("broken edge", "GateFailed: .*check 'onnx.checker'"),
        ("other output", "GateFailed: .*check 'inputs and outputs'"),
        ("coarse integers", "GateFailed: .*check 'rank agreement': of the 10 nearest 0"),
        ("wrong dimension", "GateFailed: .*check 'shape'.*64"),
        ("other lexical head", "GateFailed: .*check 'lexical weights'"),
        ("special tokens weighed", "GateFailed: .*check 'lexical weights'"),
        ("pooling not named", "InputError: Model bare: its source has no modules.json.*Give `pooling: mean`"),
        ("no lexical head", "InputError: .*has no sparse_linear.pt"),
        ("another family", "InputError: .*kind clap_text, but its source is a clip model"),
    ],
)
def test_a_wrong_export_is_refused_by_the_name_of_the_check(outcomes: dict[str, Any], case: str, check: str) -> None:
    import re

    assert re.search(check, outcomes[case]["refused"], re.DOTALL)
    assert outcomes[case]["left"] == []


def test_an_export_that_stands_is_not_made_again(exported_minilm: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    before = (exported_minilm / "model.onnx").stat().st_mtime_ns

    def never(_settings: Settings, _name: str) -> Path:
        raise AssertionError("the export environment is not needed")

    monkeypatch.setattr("include.model_export.launch.ensure", never)
    again = export_model("minilm", export_settings())

    assert again == exported_minilm
    assert (exported_minilm / "model.onnx").stat().st_mtime_ns == before


def test_the_demo_model_in_integers_stands_beside_the_one_in_float32(exported_minilm: Path) -> None:
    settings = export_settings()

    folder = export_model("minilm", settings, precision="int8")
    small, whole = Manifest.read(folder), Manifest.read(exported_minilm)

    assert folder.parent == exported_minilm.parent
    assert (folder / "model.onnx").stat().st_size < 0.7 * (exported_minilm / "model.onnx").stat().st_size
    assert small.precision == "int8"
    assert 0.95 <= small.gate.min_cosine < 0.9999  # of true weights, other than of random ones
    assert small.gate.top10_overlap is not None
    assert small.gate.top10_overlap >= 0.85
    assert small.fingerprint("fp32") != whole.fingerprint("fp32")


def test_what_a_killed_export_left_is_swept_by_the_next_and_what_another_is_making_is_not(
    exported_minilm: Path, tmp_path: Path
) -> None:
    folder = tmp_path / "models" / "minilm"
    left, made = folder / ".fp32-0123456789ab.4242.tmp", folder / ".int8-0123456789ab.4243.tmp"
    for path in (left, made):
        path.mkdir(parents=True)
    code = (
        "import sys; from pathlib import Path; from include.model_export.export import sweep; sweep(Path(sys.argv[1]))"
    )
    with locked(folder / ".int8-0123456789ab.lock", purpose="an export"):
        subprocess.run([ensure(Settings(), "export"), "-c", code, folder], check=True, cwd=PROJECT_ROOT)

    assert (left.exists(), made.exists()) == (False, True)


def test_a_source_that_is_not_there_is_the_callers_error_with_its_log_passed_on(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    wrong = get_model("minilm").model_copy(update={"revision": "9.9.9"})
    catalogue = tmp_path / "models.yaml"
    entry = wrong.model_dump_json(exclude={"name"})
    catalogue.write_text(f'{{"minilm": {entry}}}')
    caplog.set_level(logging.INFO)

    with pytest.raises(InputError, match=r"0\.1\.0 is installed, but the catalogue asks for 9\.9\.9"):
        export_model("minilm", Settings(state_dir=tmp_path, catalogue=catalogue))

    assert "asks for 9.9.9" in caplog.text
