"""Run in the export environment: export small models rightly and wrongly, and print what became of each, as JSON."""

from __future__ import annotations

import io
import json
import shutil
import sys
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any
from unittest import mock

import numpy as np
import onnx
import torch
from PIL import Image
from tokenizers import Tokenizer

from include.catalog.models import ModelSpec
from include.errors import GateFailed, InputError
from include.generations.files import sha256_of
from include.model_export import graph, graph_check, towers
from include.model_export.examples import examples_for
from include.model_export.export import MakeGraph, export
from include.model_export.graph import Graph, build_graph
from include.model_export.manifest import MODEL, TOKENIZER, AudioPreprocess, ImagePreprocess, Manifest, Preprocess
from include.model_export.preprocess import input_features, pixel_values
from include.model_export.processor import load_feature_extractor, load_image_processor, write_preprocess
from include.model_export.reference_media import pictures, sounds
from include.model_export.request import ExportRequest
from include.model_export.towers import build_tower
from tests.integration.model_export.small_models import MODELS, make

SPECS: dict[str, dict[str, Any]] = {
    "ruri": {"dimension": 48, "max_length": 8192, "languages": ["ja"]},
    "e5": {"dimension": 48, "max_length": 512, "languages": ["en", "ja", "ko", "zh"]},
    "bge_m3": {"dimension": 48, "max_length": 512, "kind": "text_sparse", "pooling": "cls"},
    "clip_text": {"dimension": 24, "max_length": 77, "kind": "clip_text", "languages": ["en"]},
    "clip_image": {"dimension": 24, "kind": "clip_image"},
    "clap_text": {"dimension": 24, "kind": "clap_text", "languages": ["en"]},
    "clap_audio": {"dimension": 24, "kind": "clap_audio"},
}
RIGHT: tuple[tuple[str, str, bool], ...] = (
    ("ruri", "fp32", False),
    ("ruri", "fp16", False),
    ("ruri", "int8", False),
    ("e5", "fp32", False),
    ("e5", "fp32", True),
    ("bge_m3", "fp32", False),
    ("bge_m3", "fp16", False),
    ("clip_text", "fp32", False),
    ("clip_image", "fp32", False),
    ("clip_image", "fp16", False),
    ("clap_text", "fp32", False),
    ("clap_audio", "fp32", False),
)
AGAIN = (("e5", "fp32"), ("ruri", "fp16"), ("e5", "int8"), ("clip_image", "fp32"))


class Cases:
    """Small models below one folder, exported below another."""

    def __init__(self, root: Path) -> None:
        self.root = root
        self.sources = {name: make(name, root / "sources") for name in MODELS}
        self.outcomes: dict[str, Any] = {}

    def spec(self, name: str, **changes: Any) -> ModelSpec:
        family = name if name in self.sources else name.split("_", maxsplit=1)[0]
        return ModelSpec(name=name, source=str(self.sources[family]), **{**SPECS[name], **changes})

    def export(
        self, case: str, spec: ModelSpec, *, make_graph: MakeGraph = build_graph, force: bool = False, **form: Any
    ) -> None:
        """Export, and note the manifest or the refusal with what it left."""
        request = ExportRequest(spec, self.root / "exports" / case.replace(" ", "-"), **form)
        try:
            manifest = export(request, make_graph=make_graph, force=force)
        except (GateFailed, InputError) as error:
            left = [path.name for path in request.folder.parent.iterdir() if path.suffix != ".lock"]
            self.outcomes[case] = {"refused": f"{type(error).__name__}: {error}", "left": left}
        else:
            self.outcomes[case] = json.loads(manifest.model_dump_json()) | {"folder": str(request.folder)}


def changed(change: Callable[[onnx.ModelProto], None]) -> MakeGraph:
    """The right graph with something altered."""

    def make_graph(request: ExportRequest, source: Path, target: Path, preprocess: Preprocess | None) -> Graph:
        made = build_graph(request, source, target, preprocess)
        model = onnx.load(str(target / MODEL))
        change(model)
        onnx.save(model, str(target / MODEL))
        return made

    return make_graph


def promising(**wrong: Any) -> MakeGraph:
    """The graph of another promise than the request's."""

    def make_graph(request: ExportRequest, source: Path, target: Path, preprocess: Preprocess | None) -> Graph:
        other = replace(request, spec=request.spec.model_copy(update=wrong))
        return build_graph(other, source, target, preprocess)

    return make_graph


def with_dropout(request: ExportRequest, source: Path, target: Path, preprocess: Preprocess | None) -> Graph:
    tower = build_tower(request.spec, source, preprocess)
    axes = {0: "batch", 1: "sequence"}
    torch.onnx.export(
        tower.module.train(),
        tower.examples,
        str(target / MODEL),
        input_names=["input_ids", "attention_mask"],
        output_names=["sentence_embedding"],
        dynamic_axes={"input_ids": axes, "attention_mask": axes, "sentence_embedding": {0: "batch"}},
        opset_version=17,
        dynamo=False,
        training=torch.onnx.TrainingMode.TRAINING,
        do_constant_folding=False,
    )
    return Graph("torch", {})


def without_mask(request: ExportRequest, source: Path, target: Path, preprocess: Preprocess | None) -> Graph:
    """As an encoder that takes the mask and does not heed it."""
    made = build_graph(request, source, target, preprocess)
    model = onnx.load(str(target / MODEL))
    ones = [
        onnx.helper.make_node("Mul", ["attention_mask", "zero"], ["nothing"]),
        onnx.helper.make_node("Add", ["nothing", "one"], ["all"]),
    ]
    for node in model.graph.node:
        for number, name in enumerate(node.input):
            if name == "attention_mask":
                node.input[number] = "all"
    for number, node in enumerate(ones):
        model.graph.node.insert(number, node)
    for name, value in (("zero", 0), ("one", 1)):
        model.graph.initializer.append(onnx.numpy_helper.from_array(np.array(value, np.int64), name))
    onnx.save(model, str(target / MODEL))
    return made


def coarsen(model: onnx.ModelProto) -> None:
    """Every matrix rounded to a few values, as by a bad quantiser."""
    for tensor in model.graph.initializer:
        values = onnx.numpy_helper.to_array(tensor)
        if values.ndim == 2 and values.dtype == np.float32:
            step = np.abs(values).max() / 4
            tensor.CopyFrom(onnx.numpy_helper.from_array(np.round(values / step) * step, tensor.name))


def fix_batch(model: onnx.ModelProto) -> None:
    for value in model.graph.input:
        value.type.tensor_type.shape.dim[0].dim_value = 2


def break_edge(model: onnx.ModelProto) -> None:
    model.graph.node[-1].input[0] = "nowhere"


def add_noise(model: onnx.ModelProto) -> None:
    last = model.graph.node[-1]
    last.output[0] = "quiet"
    noise = onnx.helper.make_node("RandomNormalLike", ["quiet"], ["noise"], name="noise", scale=1e-6)
    model.graph.node.extend([noise, onnx.helper.make_node("Add", ["quiet", "noise"], ["sentence_embedding"])])


def rename_output(model: onnx.ModelProto) -> None:
    model.graph.node[-1].output[0] = "vectors"
    model.graph.output[0].name = "vectors"


def wrong_cases(cases: Cases) -> None:
    e5 = cases.spec("e5")
    cases.export("not normalised", e5, make_graph=promising(normalize=False))
    cases.export("wrongly pooled", e5, make_graph=promising(pooling="cls"))
    cases.export("dropout left on", e5, make_graph=with_dropout)
    cases.export("mask not heeded", e5, make_graph=without_mask)
    cases.export("fixed batch", e5, make_graph=changed(fix_batch))
    cases.export("broken edge", e5, make_graph=changed(break_edge))
    cases.export("noise", e5, make_graph=changed(add_noise))
    cases.export("other output", e5, make_graph=changed(rename_output))
    cases.export("coarse integers", e5, make_graph=changed(coarsen), precision="int8")
    cases.export("wrong dimension", cases.spec("e5", dimension=64))
    cases.export("no lexical head", cases.spec("e5", kind="text_sparse"))
    cases.export("another family", cases.spec("clip_text", kind="clap_text"))
    head = cases.sources["bge_m3"] / "sparse_linear.pt"
    true = torch.load(head, weights_only=True)

    def other_head(request: ExportRequest, source: Path, target: Path, preprocess: Preprocess | None) -> Graph:
        torch.save({name: -value for name, value in true.items()}, head)
        made = build_graph(request, source, target, preprocess)
        torch.save(true, head)
        return made

    cases.export("other lexical head", cases.spec("bge_m3"), make_graph=other_head)

    def with_special(request: ExportRequest, source: Path, target: Path, preprocess: Preprocess | None) -> Graph:
        with mock.patch.object(towers, "special_ids", return_value=()):
            return build_graph(request, source, target, preprocess)

    cases.export("special tokens weighed", cases.spec("bge_m3"), make_graph=with_special)
    bare = cases.root / "bare"
    shutil.copytree(cases.sources["e5"], bare, ignore=shutil.ignore_patterns("modules.json"))
    entry = {"name": "bare", "source": str(bare), "dimension": 48, "languages": ("en",)}
    cases.export("pooling not named", ModelSpec(**entry))
    cases.export("pooling named", ModelSpec(**entry, pooling="cls"))


def large_case(cases: Cases) -> None:
    """As a model above 2 GB, at a limit that the small one passes."""
    limit, graph.MAX_PROTOBUF = graph.MAX_PROTOBUF, 10_000
    bound, graph_check.LARGE = graph_check.LARGE, 10_000
    try:
        cases.export("large", cases.spec("e5"))
    finally:
        graph.MAX_PROTOBUF, graph_check.LARGE = limit, bound
    found = cases.outcomes["large"]
    manifest = Manifest.read(Path(found["folder"]))
    found["hashed"] = {name: sha256_of(Path(found["folder"]) / name) for name in manifest.files} == manifest.files


def preprocess_errors(cases: Cases) -> dict[str, float]:
    """The largest difference between our preprocessing and transformers', at the sizes of the true checkpoints."""
    folder = cases.root / "scratch"
    folder.mkdir()
    image = write_preprocess(cases.spec("clip_image"), cases.sources["clip"], folder)
    audio = write_preprocess(cases.spec("clap_audio"), cases.sources["clap"], folder)
    assert isinstance(image, ImagePreprocess)
    assert isinstance(audio, AudioPreprocess)
    processor, extractor = load_image_processor(cases.sources["clip"]), load_feature_extractor(cases.sources["clap"])
    settings, filters = audio.model_dump(), np.load(folder / audio.mel_filters)
    errors: dict[str, float] = {"pixels": 0.0, "decibels": 0.0}
    for edge in (32, 224):
        processor.size, processor.crop_size = {"shortest_edge": edge}, {"height": edge, "width": edge - 8}
        wanted = image.model_copy(update={"shortest_edge": edge, "crop": (edge, edge - 8)}).model_dump()
        for picture in pictures():
            theirs = processor(images=Image.open(io.BytesIO(picture)), return_tensors="np")["pixel_values"][0]
            errors["pixels"] = max(errors["pixels"], float(np.abs(theirs - pixel_values(picture, wanted)).max()))
    for sound in sounds(audio.sample_rate):
        first = sound[: audio.max_samples]
        theirs = extractor(first, sampling_rate=audio.sample_rate, return_tensors="np")["input_features"][0]
        errors["decibels"] = max(
            errors["decibels"], float(np.abs(theirs - input_features(sound, settings, filters)).max())
        )
    return errors


def main(root: Path) -> None:
    cases = Cases(root)
    for name, precision, fuse in RIGHT:
        cases.export(f"{name} {precision}{' fused' * fuse}", cases.spec(name), precision=precision, fuse=fuse)
    for name, precision in AGAIN:
        first, again = f"{name} {precision}", f"{name} {precision} again"
        if first not in cases.outcomes:
            cases.export(first, cases.spec(name), precision=precision)
        cases.export(again, cases.spec(name), precision=precision)
    wrong_cases(cases)
    large_case(cases)
    ruri = Path(cases.outcomes["ruri fp32"]["folder"])
    (long,) = examples_for(cases.spec("ruri"), None, ruri).long
    cases.outcomes["long text"] = len(Tokenizer.from_file(str(ruri / TOKENIZER)).encode(long).ids)
    cases.outcomes["preprocess errors"] = preprocess_errors(cases)
    (root / "outcomes.json").write_text(json.dumps(cases.outcomes))


if __name__ == "__main__":
    main(Path(sys.argv[1]))
