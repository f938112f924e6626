"""A float32 graph fused or quantised, by Optimum's optimiser and quantiser, which drive ONNX Runtime's."""

from __future__ import annotations

from collections import Counter
from pathlib import Path

import onnx
from optimum.onnxruntime import ORTOptimizer, ORTQuantizer
from optimum.onnxruntime.configuration import AutoQuantizationConfig, OptimizationConfig
from transformers import AutoConfig

from include.catalog.models import ModelSpec
from include.errors import InputError
from include.model_export.manifest import MODEL

FUSED_DOMAIN = "com.microsoft"


def fuse(spec: ModelSpec, source: Path, path: Path, folder: Path) -> tuple[Path, dict[str, int]]:
    """Write the graph at ``path`` into ``folder`` with attention, normalisation and activations as one operator each.

    Returns the new file and its operators of ONNX Runtime's own, by number.

    Raises:
        InputError: Optimum knows no fusion for this architecture, or found nothing to fuse.
    """
    config = AutoConfig.from_pretrained(str(source))
    try:
        optimizer = ORTOptimizer([path], config=config)
        # Level 0: the patterns of transformers only; what a session folds on loading need not be written down.
        optimizer.optimize(OptimizationConfig(optimization_level=0), folder, file_suffix="")
    except (NotImplementedError, KeyError, ValueError) as error:
        msg = f"Model {spec.name}: {config.model_type} cannot be fused ({error}). Export it without."
        raise InputError(msg) from error
    model = onnx.load(str(folder / MODEL), load_external_data=False)
    fused = Counter(node.op_type for node in model.graph.node if node.domain == FUSED_DOMAIN)
    if not fused:
        msg = f"Model {spec.name}: nothing in the graph of this {config.model_type} could be fused. Export it without."
        raise InputError(msg)
    return folder / MODEL, dict(sorted(fused.items()))


def quantize(source: Path, path: Path, folder: Path) -> Path:
    """Write the graph at ``path`` into ``folder`` with the weights of its matrix products as 8-bit integers.

    One scale a column, activations quantised as they come (dynamic). Products of two activations, as in attention,
    stay in float32: their error is the larger and they are few.
    """
    model = onnx.load(str(path), load_external_data=False)
    weights = {tensor.name for tensor in model.graph.initializer}
    free = [node.name for node in model.graph.node if node.op_type == "MatMul" and weights.isdisjoint(node.input)]
    config = AutoQuantizationConfig.avx512_vnni(
        is_static=False, per_channel=True, operators_to_quantize=["MatMul"], nodes_to_exclude=free
    )
    ORTQuantizer(path, config=AutoConfig.from_pretrained(str(source))).quantize(config, folder, file_suffix="")
    return folder / MODEL
