"""Run in the export environment: export the demo model in wrong ways and print what became of each, as JSON."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable
from pathlib import Path

import onnx

from include.catalog.models import ModelSpec, get_model
from include.errors import GateFailed
from include.model_export.export import export
from include.model_export.graph import export_by_torch
from include.model_export.manifest import Route
from include.model_export.request import ExportRequest

MINILM = get_model("minilm")


def traced(**wrong: object) -> Callable[[ModelSpec, Path, Path], Route]:
    def make_graph(spec: ModelSpec, source: Path, target: Path) -> Route:
        export_by_torch(spec.model_copy(update=wrong), source, target)
        return "torch"

    return make_graph


def changed(change: Callable[[onnx.ModelProto], None]) -> Callable[[ModelSpec, Path, Path], Route]:
    def make_graph(spec: ModelSpec, source: Path, target: Path) -> Route:
        export_by_torch(spec, source, target)
        model = onnx.load(str(target / "model.onnx"))
        change(model)
        onnx.save(model, str(target / "model.onnx"))
        return "torch"

    return make_graph


def fix_batch(model: onnx.ModelProto) -> None:
    for value in model.graph.input:
        value.type.tensor_type.shape.dim[0].dim_value = 2


def break_edge(model: onnx.ModelProto) -> None:
    model.graph.node[-1].input[0] = "nowhere"


def rename_output(model: onnx.ModelProto) -> None:
    model.graph.node[-1].output[0] = "vectors"
    model.graph.output[0].name = "vectors"


CASES = {
    "good": traced(),
    "not normalised": traced(normalize=False),
    "wrongly pooled": traced(pooling="cls"),
    "fixed batch": changed(fix_batch),
    "broken edge": changed(break_edge),
    "other output": changed(rename_output),
}


def main(root: Path) -> None:
    outcomes = {}
    for name, make_graph in CASES.items():
        request = ExportRequest(MINILM, root / name.replace(" ", "-"))
        try:
            manifest = export(request, make_graph=make_graph)
        except GateFailed as error:
            left = [path.name for path in request.folder.parent.iterdir() if path.suffix != ".lock"]
            outcomes[name] = {"refused": str(error), "left": left}
        else:
            outcomes[name] = {"files": manifest.files, "figures": manifest.gate.model_dump()}
    again = export(ExportRequest(MINILM, root / "good"), make_graph=traced(), force=True)
    outcomes["good again"] = {"files": again.files}
    sys.stdout.write(json.dumps(outcomes))


if __name__ == "__main__":
    main(Path(sys.argv[1]))
