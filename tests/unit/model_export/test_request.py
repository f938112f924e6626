from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from include.catalog.models import ModelSpec, get_model
from include.errors import ContractError, InputError
from include.generations.files import sha256_of
from include.model_export.floors import FLOORS
from include.model_export.manifest import AudioPreprocess, GateFigures, ImagePreprocess, Manifest, Precision, Reference
from include.model_export.request import ExportRequest

MINILM = get_model("minilm")
FORMS: tuple[tuple[Precision, bool], ...] = (
    ("fp32", False),
    ("fp16", False),
    ("int8", False),
    ("fp32", True),
    ("fp16", True),
)
IMAGE = ImagePreprocess(
    shortest_edge=224, resample=3, crop=(224, 224), scale=1 / 255, mean=(0.5, 0.5, 0.5), std=(0.5, 0.5, 0.5)
)


def write_export(request: ExportRequest) -> Manifest:
    """An export as it would stand, with a graph of a few bytes."""
    request.folder.mkdir(parents=True)
    for name in ("model.onnx", "tokenizer.json"):
        (request.folder / name).write_text(name)
    manifest = Manifest(
        request=request.key,
        name="minilm",
        source=MINILM.source,
        revision="0.1.0",
        route="torch",
        opset=17,
        precision="fp32",
        dimension=2,
        pooling="mean",
        normalize=True,
        max_length=256,
        pad_token_id=0,
        files={name: sha256_of(request.folder / name) for name in ("model.onnx", "tokenizer.json")},
        gate=GateFigures(texts=1, min_cosine=1.0, mean_cosine=1.0, max_norm_error=0.0, shapes=((1, 1),)),
        reference=Reference(texts=("tent",), vectors=((0.6, 0.8),)),
        packages={"torch": "2"},
    )
    manifest.write(request.folder)
    return manifest


def test_the_same_request_has_the_same_folder_and_another_model_another(tmp_path: Path) -> None:
    other = MINILM.model_copy(update={"max_length": 128})

    assert ExportRequest(MINILM, tmp_path).folder == ExportRequest(MINILM, tmp_path).folder
    assert ExportRequest(other, tmp_path).folder != ExportRequest(MINILM, tmp_path).folder


def test_prefixes_do_not_change_the_graph_nor_its_check(tmp_path: Path) -> None:
    other = MINILM.model_copy(update={"prefixes": MINILM.prefixes.model_copy(update={"query": "query: "})})

    assert ExportRequest(other, tmp_path).key == ExportRequest(MINILM, tmp_path).key


def test_what_the_gate_compares_by_belongs_to_the_request(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    before = ExportRequest(MINILM, tmp_path).key
    assert ExportRequest(MINILM.model_copy(update={"languages": ("ja",)}), tmp_path).key != before

    monkeypatch.setitem(FLOORS, "fp32", replace(FLOORS["fp32"], min_cosine=0.99))

    assert ExportRequest(MINILM, tmp_path).key != before


def test_changed_weights_in_a_local_folder_are_another_request(tmp_path: Path) -> None:
    weights = tmp_path / "weights"
    weights.mkdir()
    (weights / "config.json").write_text("{}")
    spec: ModelSpec = MINILM.model_copy(update={"source": str(weights)})
    before = ExportRequest(spec, tmp_path).key

    (weights / "model.safetensors").write_bytes(b"1")

    assert ExportRequest(spec, tmp_path).key != before


def test_a_folder_without_a_model_is_refused_by_its_path(tmp_path: Path) -> None:
    spec = MINILM.model_copy(update={"source": str(tmp_path / "nowhere")})

    with pytest.raises(InputError, match="nowhere is no model folder"):
        _ = ExportRequest(spec, tmp_path).key


def test_a_whole_export_counts_as_finished(tmp_path: Path) -> None:
    request = ExportRequest(MINILM, tmp_path)
    assert request.finished() is None

    manifest = write_export(request)

    assert request.finished() == manifest


@pytest.mark.parametrize("damage", ["changed", "missing", "manifest"])
def test_a_damaged_export_counts_as_absent_and_is_refused_by_a_deploy(tmp_path: Path, damage: str) -> None:
    request = ExportRequest(MINILM, tmp_path)
    write_export(request)
    if damage == "changed":
        (request.folder / "model.onnx").write_text("something else")
    elif damage == "missing":
        (request.folder / "tokenizer.json").unlink()
    else:
        (request.folder / "manifest.json").write_text('{"name": "minilm"}')

    assert request.finished() is None
    with pytest.raises(ContractError, match=str(request.folder)):
        Manifest.read(request.folder).check_files(request.folder)


def test_no_export_is_said_with_the_command_that_makes_one(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="embsearch export"):
        Manifest.read(tmp_path / "none")


def test_the_precision_served_and_external_weights_are_in_the_fingerprint(tmp_path: Path) -> None:
    manifest = write_export(ExportRequest(MINILM, tmp_path))
    large = manifest.model_copy(update={"files": {**manifest.files, "model.onnx.data": "0" * 64}})

    assert manifest.fingerprint("fp32") != manifest.fingerprint("bf16")
    assert manifest.fingerprint("fp32") != large.fingerprint("fp32")


def test_the_weights_that_are_served_and_how_a_gpu_computes_are_in_the_fingerprint(tmp_path: Path) -> None:
    manifest = write_export(ExportRequest(MINILM, tmp_path))
    packed = manifest.model_copy(update={"files": {**manifest.files, "packed.safetensors": "1" * 64}})
    other = manifest.model_copy(update={"files": {**manifest.files, "packed.safetensors": "2" * 64}})

    assert manifest.fingerprint("fp32") == packed.fingerprint("fp32", runtime="onnxruntime")
    assert manifest.fingerprint("bf16") == packed.fingerprint("bf16", runtime="openvino")
    assert len({one.fingerprint("fp16", runtime="packed") for one in (manifest, packed, other)}) == 3
    assert len({packed.fingerprint("fp16", runtime=runtime) for runtime in ("onnxruntime", "packed", "tensorrt")}) == 3


def test_each_form_has_a_folder_of_its_own_that_names_it(tmp_path: Path) -> None:
    forms = [ExportRequest(MINILM, tmp_path, precision, fuse) for precision, fuse in FORMS]

    assert [form.folder.name.rsplit("-", 1)[0] for form in forms] == [
        "fp32",
        "fp16",
        "int8",
        "fp32-fused",
        "fp16-fused",
    ]
    assert len({form.key for form in forms}) == len(forms)


def test_a_fused_graph_in_integers_is_refused_before_anything_is_installed(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="fused graph cannot be quantised"):
        ExportRequest(MINILM, tmp_path, "int8", fuse=True)


def test_how_an_image_or_a_sound_is_prepared_is_in_the_fingerprint(tmp_path: Path) -> None:
    plain = write_export(ExportRequest(MINILM, tmp_path))
    sound = AudioPreprocess(sample_rate=48_000, max_samples=480_000, n_fft=1024, hop=480, mels=64)
    manifests = [
        plain,
        plain.model_copy(update={"kind": "clap_audio"}),
        plain.model_copy(update={"preprocess": sound}),
        plain.model_copy(update={"preprocess": sound.model_copy(update={"hop": 512})}),
        plain.model_copy(update={"preprocess": sound, "files": {**plain.files, "mel_filters.npy": "0" * 64}}),
        plain.model_copy(update={"preprocess": IMAGE}),
        plain.model_copy(update={"preprocess": IMAGE.model_copy(update={"resample": 2})}),
    ]

    assert len({manifest.fingerprint("fp32") for manifest in manifests}) == len(manifests)


def test_a_manifest_of_pictures_reads_back_equal(tmp_path: Path) -> None:
    plain = write_export(ExportRequest(MINILM, tmp_path))
    reference = Reference(files=("reference_0.png",), vectors=((0.6, 0.8),))
    pictures = plain.model_copy(update={"kind": "clip_image", "preprocess": IMAGE, "reference": reference})

    pictures.write(tmp_path)

    assert Manifest.read(tmp_path) == pictures
    assert pictures.medium == "image"
