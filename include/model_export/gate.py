"""The gate of an export: the graph is valid, its axes are dynamic, and its vectors are the source model's."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any, Protocol

import numpy as np
import onnx
import onnxruntime
from numpy.typing import NDArray
from tokenizers import Tokenizer

from include.catalog.models import ModelSpec
from include.errors import GateFailed
from include.model_export.graph import INPUTS, OUTPUT
from include.model_export.manifest import MODEL, TOKENIZER, GateFigures

MIN_COSINE = 0.9999  # FP32 against the source model
MAX_NORM_ERROR = 1e-4
SHAPE_TOKENS = 16_384  # the largest batch × sequence that is tried, for memory's sake

Vectors = NDArray[np.float32]


class Embedder(Protocol):
    """The source model, freshly loaded: texts to vectors ``[N, D]``."""

    def __call__(self, texts: Sequence[str]) -> Vectors:
        """Embed."""
        ...


class ExportedModel:
    """The exported folder run by ONNX Runtime as the server will run it."""

    def __init__(self, folder: Path, spec: ModelSpec, *, pad_token_id: int) -> None:
        self.session = onnxruntime.InferenceSession(str(folder / MODEL), providers=["CPUExecutionProvider"])
        self.tokenizer = Tokenizer.from_file(str(folder / TOKENIZER))
        self.tokenizer.enable_truncation(spec.max_length)
        self.tokenizer.enable_padding(pad_id=pad_token_id)

    def embed(self, texts: Sequence[str]) -> Vectors:
        """All texts as one padded batch."""
        encodings = self.tokenizer.encode_batch(list(texts))
        ids = np.array([encoding.ids for encoding in encodings], np.int64)
        mask = np.array([encoding.attention_mask for encoding in encodings], np.int64)
        return self.run(ids, mask)

    def run(self, ids: NDArray[np.int64], mask: NDArray[np.int64]) -> Vectors:
        """The graph on token ids ``[N, L]``."""
        vectors: Vectors = self.session.run([OUTPUT], dict(zip(INPUTS, (ids, mask), strict=True)))[0]
        return vectors


def check(folder: Path, spec: ModelSpec, *, source: Embedder, texts: Sequence[str], pad_token_id: int) -> GateFigures:
    """Accept the export in ``folder``, or say which check failed and by how much.

    Raises:
        GateFailed: naming the check and the figure.
    """
    check_graph(folder / MODEL, spec)
    exported = ExportedModel(folder, spec, pad_token_id=pad_token_id)
    shapes = check_shapes(exported, spec)
    reference = source(texts)
    together = np.concatenate([exported.embed(texts[start : start + 16]) for start in range(0, len(texts), 16)])
    alone = np.concatenate([exported.embed([text]) for text in texts])
    norm_error = max(check_norms(spec, together), check_norms(spec, alone))
    cosines = np.concatenate(
        [check_cosines(spec, texts, together, reference), check_cosines(spec, texts, alone, reference)]
    )
    return GateFigures(
        texts=len(texts),
        min_cosine=float(cosines.min()),
        mean_cosine=float(cosines.mean()),
        max_norm_error=norm_error,
        shapes=tuple(shapes),
    )


def check_graph(path: Path, spec: ModelSpec) -> None:
    """The file is valid ONNX with the promised inputs and output, batch and sequence open."""
    try:
        onnx.checker.check_model(str(path), full_check=True)
    except (onnx.checker.ValidationError, onnx.shape_inference.InferenceError) as error:
        raise _failed(spec, "onnx.checker", str(error)) from error
    model = onnx.load(str(path), load_external_data=False)
    inputs = {value.name: _axes(value) for value in model.graph.input}
    outputs = {value.name: _axes(value) for value in model.graph.output}
    if set(inputs) != set(INPUTS) or set(outputs) != {OUTPUT}:
        raise _failed(spec, "inputs and outputs", f"inputs {sorted(inputs)}, outputs {sorted(outputs)}")
    wrong = [value.name for value in model.graph.input if value.type.tensor_type.elem_type != onnx.TensorProto.INT64]
    wrong += [value.name for value in model.graph.output if value.type.tensor_type.elem_type != onnx.TensorProto.FLOAT]
    if wrong:
        raise _failed(spec, "types", f"{wrong} should be INT64 inputs and a FLOAT output")
    fixed = [name for name, axes in inputs.items() if len(axes) != 2 or any(isinstance(axis, int) for axis in axes)]
    fixed += [name for name, axes in outputs.items() if isinstance(axes[0], int)]
    if fixed:
        raise _failed(spec, "dynamic axes", f"fixed in {fixed}: {inputs | outputs}")


def _axes(value: Any) -> list[int | str]:
    return [axis.dim_value or axis.dim_param or "?" for axis in value.type.tensor_type.shape.dim]


def check_shapes(exported: ExportedModel, spec: ModelSpec) -> list[tuple[int, int]]:
    """Batch 1 and 64 by length 1, 8 and the maximum run, and give ``[batch, D]``."""
    shapes = []
    for length in (1, 8, spec.max_length):
        for batch in (1, 64):
            if batch > 1 and batch * length > SHAPE_TOKENS:
                continue
            ids = np.ones((batch, length), np.int64)
            try:
                vectors = exported.run(ids, np.ones_like(ids))
            except Exception as error:  # ONNX Runtime has no common class for its own
                raise _failed(spec, "dynamic axes", f"[{batch}, {length}] does not run: {error}") from error
            if vectors.shape != (batch, spec.dimension):
                detail = f"[{batch}, {length}] gives {vectors.shape}, not ({batch}, {spec.dimension})"
                raise _failed(spec, "shape", detail)
            shapes.append((batch, length))
    return shapes


def check_norms(spec: ModelSpec, vectors: Vectors) -> float:
    """The largest ``|norm - 1|``; a figure of its own, since the cosine does not see the norm."""
    if not np.isfinite(vectors).all():
        raise _failed(spec, "finite", f"{int((~np.isfinite(vectors)).sum())} values are not finite")
    if not spec.normalize:
        return 0.0
    error = float(np.abs(np.linalg.norm(vectors.astype(np.float64), axis=1) - 1.0).max())
    if error > MAX_NORM_ERROR:
        raise _failed(spec, "norm", f"largest |norm - 1| is {error:.6f}, allowed is {MAX_NORM_ERROR}")
    return error


def check_cosines(spec: ModelSpec, texts: Sequence[str], vectors: Vectors, reference: Vectors) -> NDArray[np.float64]:
    """The cosine of each text's vector to the source model's, ``[N]``."""
    if vectors.shape != reference.shape:
        raise _failed(spec, "shape", f"vectors {vectors.shape}, source model {reference.shape}")
    cosines = cosine(vectors, reference)
    worst = int(cosines.argmin())
    if cosines[worst] < MIN_COSINE:
        detail = f"smallest is {cosines[worst]:.6f} for {texts[worst][:60]!r}, allowed is {MIN_COSINE}"
        raise _failed(spec, "cosine to the source model", detail)
    return cosines


def cosine(left: Vectors, right: Vectors) -> NDArray[np.float64]:
    """Row by row, in float64."""
    a, b = left.astype(np.float64), right.astype(np.float64)
    result: NDArray[np.float64] = (a * b).sum(1) / (np.linalg.norm(a, axis=1) * np.linalg.norm(b, axis=1))
    return result


def _failed(spec: ModelSpec, check: str, detail: str) -> GateFailed:
    return GateFailed(f"Export of {spec.name} refused by check '{check}': {detail}. Nothing was written.")
