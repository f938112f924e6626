"""Weights to one ONNX graph: pooling and normalisation inside, at the asked precision, fused where that is asked."""

from __future__ import annotations

import json
import logging
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import onnx
import torch
from optimum.exporters.onnx import main_export

from include.catalog.models import ModelSpec
from include.errors import ContractError
from include.model_export.contract import CONTRACTS, VECTOR
from include.model_export.manifest import MODEL, Preprocess, Route
from include.model_export.request import ExportRequest
from include.model_export.towers import build_tower
from include.model_export.variants import fuse, quantize

log = logging.getLogger(__name__)

OPSET = 17
MAX_PROTOBUF = 2**31 - 2**24  # bytes of weights; a larger model keeps them in a file of its own
MODULE = "sentence_transformers.models."


@dataclass(frozen=True)
class Graph:
    """How ``model.onnx`` was made."""

    route: Route
    fused: dict[str, int]  # operators of ONNX Runtime's own that it holds


def build_graph(request: ExportRequest, source: Path, target: Path, preprocess: Preprocess | None) -> Graph:
    """Write ``target/model.onnx``, past 2 GB with ``model.onnx.data``; folders left in ``target`` are scratch.

    Raises:
        InputError: the source is of another kind than the catalogue says, or cannot be fused.
    """
    raw = target / "raw" / MODEL
    raw.parent.mkdir()
    route = export_encoder(request, source, raw, preprocess)
    fused: dict[str, int] = {}
    if request.fuse:
        raw, fused = fuse(request.spec, source, raw, target / "fused")
    if request.precision == "int8":
        raw = quantize(source, raw, target / "quantized")
    save(onnx.load(str(raw)), target / MODEL)
    return Graph(route, fused)


def export_encoder(request: ExportRequest, source: Path, path: Path, preprocess: Preprocess | None) -> Route:
    """Write the graph to ``path``, in float32 unless float16 is asked for; return the route that made it.

    Optimum's exporter is used for a sentence-transformers folder whose own modules are those that the catalogue
    promises; for all else the tower is traced here. So is what shall be fused: the patterns of attention that the
    optimiser knows are those of "eager" attention.
    """
    spec = request.spec
    plain = spec.kind == "text" and request.precision != "fp16" and not request.fuse
    if plain and promised_by_source(spec, source):
        try:
            export_by_optimum(spec, source, path)
        except (ValueError, KeyError, NotImplementedError, RuntimeError, ContractError) as error:
            log.warning("%s: optimum does not export this model (%s); tracing it instead", spec.name, error)
        else:
            return "optimum"
    export_by_torch(spec, source, path, preprocess, half=request.precision == "fp16")
    return "torch"


def promised_by_source(spec: ModelSpec, source: Path) -> bool:
    """Whether the folder's own modules are Transformer, the promised pooling, and no other normalisation."""
    modules = _json(source / "modules.json")
    if modules is None:
        return False
    kinds = [module["type"].rsplit(".", 1)[-1] for module in modules]
    if spec.normalize and kinds[-1] == "Normalize":
        kinds.pop()
    if kinds != ["Transformer", "Pooling"]:
        return False
    pooling = _json(source / modules[1]["path"] / "config.json") or {}
    active = {key for key, value in pooling.items() if key.startswith("pooling_mode_") and value is True}
    return active == {"pooling_mode_mean_tokens" if spec.pooling == "mean" else "pooling_mode_cls_token"}


def _json(path: Path) -> Any:
    return json.loads(path.read_text(encoding="utf-8")) if path.is_file() else None


def export_by_optimum(spec: ModelSpec, source: Path, path: Path) -> None:
    """Export through Optimum, then keep the one output that is promised.

    Raises:
        ContractError: the graph has other inputs than ids and mask, or no sentence output.
    """
    main_export(
        str(_normalised(source, path.with_name("source")) if spec.normalize else source),
        output=path.with_name("optimum"),
        task="feature-extraction",
        library_name="sentence_transformers",
        do_validation=False,  # the gate does it, against the catalogue's promise
        no_post_process=True,
    )
    model = onnx.load(str(path.with_name("optimum") / MODEL))
    names = {value.name for value in model.graph.input}
    outputs = {value.name for value in model.graph.output}
    if names != {tensor.name for tensor in CONTRACTS["text"].inputs} or VECTOR not in outputs:
        msg = f"optimum's graph has inputs {sorted(names)} and outputs {sorted(outputs)}"
        raise ContractError(msg)
    for value in [value for value in model.graph.output if value.name != VECTOR]:
        model.graph.output.remove(value)
    save(model, path)


def _normalised(source: Path, folder: Path) -> Path:
    """``source`` itself when it normalises, else a folder of links to it whose modules end with the normalisation."""
    modules = _json(source / "modules.json")
    if modules[-1]["type"].endswith("Normalize"):
        return source
    folder.mkdir()
    for child in source.iterdir():
        (folder / child.name).symlink_to(child.resolve())
    (folder / "modules.json").unlink()
    (folder / "2_Normalize").mkdir()
    last = {"idx": 2, "name": "2", "path": "2_Normalize", "type": f"{MODULE}Normalize"}
    (folder / "modules.json").write_text(json.dumps([*modules, last]), encoding="utf-8")
    return folder


def export_by_torch(
    spec: ModelSpec, source: Path, path: Path, preprocess: Preprocess | None, *, half: bool = False
) -> None:
    """Trace the tower by torch's TorchScript exporter at opset 17."""
    tower = build_tower(spec, source, preprocess, half=half)
    contract = CONTRACTS[spec.kind]
    path.parent.mkdir(exist_ok=True)
    with torch.inference_mode():
        torch.onnx.export(
            tower.module,
            tower.examples,
            str(path),
            input_names=[tensor.name for tensor in contract.inputs],
            output_names=[tensor.name for tensor in contract.outputs],
            dynamic_axes={tensor.name: tensor.dynamic for tensor in (*contract.inputs, *contract.outputs)},
            opset_version=OPSET,
            dynamo=False,
        )


def save(model: onnx.ModelProto, path: Path) -> None:
    """Write the graph; weights past protobuf's 2 GB go to ``model.onnx.data`` beside it."""
    large = sum(len(tensor.raw_data) for tensor in model.graph.initializer) > MAX_PROTOBUF
    onnx.save(model, str(path), save_as_external_data=large, location=f"{path.name}.data" if large else None)
    if large:
        path.with_name(f"{path.name}.data").chmod(path.stat().st_mode)  # onnx closes it to all but its writer


def opset_of(path: Path) -> int:
    """The graph's version of the standard operator set."""
    model = onnx.load(str(path), load_external_data=False)
    return next(int(entry.version) for entry in model.opset_import if entry.domain in ("", "ai.onnx"))
