"""Checks of the graph itself, before its vectors count: valid ONNX, the promised inputs and outputs, dynamic axes."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import numpy as np
import onnx

from include.catalog.models import ModelSpec
from include.errors import GateFailed
from include.model_export.contract import CONTRACTS, VECTOR, DType, Tensor
from include.model_export.exported import ExportedModel, Feed

# Tokens of the largest batch × sequence that is run, for the sake of memory and time: fewer for a large model.
SHAPE_TOKENS, SHAPE_TOKENS_OF_LARGE, LARGE = 32_768, 4_096, 500_000_000  # tokens, tokens, bytes of the graph
RANDOM = {"RandomNormal", "RandomNormalLike", "RandomUniform", "RandomUniformLike", "Bernoulli", "Multinomial"}
ONNX_TYPES: dict[DType, int] = {"INT64": onnx.TensorProto.INT64, "FP32": onnx.TensorProto.FLOAT}


def check_graph(path: Path, spec: ModelSpec) -> None:
    """The file is valid ONNX with the promised inputs and outputs, batch and sequence open.

    Raises:
        GateFailed: naming the check.
    """
    try:
        onnx.checker.check_model(str(path), full_check=True)
    except (onnx.checker.ValidationError, onnx.shape_inference.InferenceError) as error:
        raise refused(spec, {"onnx.checker": str(error)}) from error
    graph = onnx.load(str(path), load_external_data=False).graph
    contract = CONTRACTS[spec.kind]
    found = {value.name: value.type.tensor_type for value in (*graph.input, *graph.output)}
    inputs, outputs = [value.name for value in graph.input], [value.name for value in graph.output]
    if set(inputs) != _names(contract.inputs) or set(outputs) != _names(contract.outputs):
        raise refused(spec, {"inputs and outputs": f"inputs {sorted(inputs)}, outputs {sorted(outputs)}"})
    promised = (*contract.inputs, *contract.outputs)
    wrong = [tensor.name for tensor in promised if found[tensor.name].elem_type != ONNX_TYPES[tensor.dtype]]
    if wrong:
        raise refused(spec, {"types": f"{wrong} should be {[t.dtype for t in promised if t.name in wrong]}"})
    if random := _random_nodes(graph):
        raise refused(spec, {"dropout": f"the graph draws random numbers, as in training, in {random[:3]}"})
    axes = {name: [axis.dim_value or axis.dim_param or "?" for axis in kind.shape.dim] for name, kind in found.items()}
    fixed = [tensor.name for tensor in promised if not _open(tensor, axes[tensor.name])]
    if fixed:
        raise refused(spec, {"dynamic axes": f"fixed in {fixed}: {axes}"})


def _random_nodes(graph: onnx.GraphProto) -> list[str]:
    """Nodes that draw random numbers. A dropout does where its third input, ``training_mode``, is not a constant no.

    ONNX Runtime heeds that input on some devices only, so that running the graph here would not show it.
    """
    constants = {tensor.name: tensor for tensor in graph.initializer}
    constants |= {node.output[0]: node.attribute[0].t for node in graph.node if node.op_type == "Constant"}
    found = [node.name for node in graph.node if node.op_type in RANDOM]
    for node in graph.node:
        if node.op_type == "Dropout" and len(node.input) > 2 and node.input[2]:
            mode = constants.get(node.input[2])
            if mode is None or bool(onnx.numpy_helper.to_array(mode)):
                found.append(node.name)
    return found


def _names(tensors: tuple[Tensor, ...]) -> set[str]:
    return {tensor.name for tensor in tensors}


def _open(tensor: Tensor, axes: list[int | str]) -> bool:
    return len(axes) == len(tensor.axes) and not any(isinstance(axes[number], int) for number in tensor.dynamic)


def check_shapes(exported: ExportedModel, spec: ModelSpec) -> list[tuple[int, ...]]:
    """Batch 1 and 64, for texts by length 1, 8 and 512 (or the maximum), run and give ``[batch, D]``.

    Returns the shapes of the first input; where 64 long texts are more than memory bears, fewer are run.

    Raises:
        GateFailed: a shape does not run, or gives another one than promised.
    """
    shapes = []
    for feed in _feeds(exported, spec):
        first = next(iter(feed.values())).shape
        try:
            vectors = exported.run(feed)[VECTOR]
        except Exception as error:  # ONNX Runtime has no common class for its own
            raise refused(spec, {"dynamic axes": f"{list(first)} does not run: {error}"}) from error
        if vectors.shape != (first[0], spec.dimension):
            detail = f"{list(first)} gives {vectors.shape}, not ({first[0]}, {spec.dimension})"
            raise refused(spec, {"shape": detail})
        shapes.append(first)
    return shapes


def _feeds(exported: ExportedModel, spec: ModelSpec) -> list[Feed]:
    if exported.preprocess is not None:
        found = exported.session.get_inputs()[0]
        return [{found.name: np.zeros((batch, *found.shape[1:]), np.float32)} for batch in (1, 64)]
    tokens = SHAPE_TOKENS if exported.size <= LARGE else SHAPE_TOKENS_OF_LARGE
    names = [tensor.name for tensor in CONTRACTS[spec.kind].inputs]
    shapes = [(batch, length) for length in (1, 8, min(512, spec.max_length)) for batch in (1, 64)]
    bounded = [(max(1, min(batch, tokens // length)), length) for batch, length in shapes]
    return [{name: np.ones(shape, np.int64) for name in names} for shape in bounded]


def refused(spec: ModelSpec, complaints: Mapping[str, str]) -> GateFailed:
    """The refusal, naming each check that failed."""
    told = "; ".join(f"check '{check}': {detail}" for check, detail in complaints.items())
    return GateFailed(f"Export of {spec.name} refused by {told}. Nothing was written.")
