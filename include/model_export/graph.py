"""Weights to one ONNX graph with pooling and normalisation inside: token ids and mask in, sentence vectors out."""

from __future__ import annotations

import json
import logging
from pathlib import Path
from typing import Any

import onnx
import torch
from optimum.exporters.onnx import main_export
from transformers import AutoModel

from include.catalog.models import ModelSpec
from include.errors import ContractError
from include.model_export.manifest import MODEL, Route

log = logging.getLogger(__name__)

INPUTS = ("input_ids", "attention_mask")
OUTPUT = "sentence_embedding"
OPSET = 17
MAX_PROTOBUF = 2**31 - 2**20  # bytes; a larger model keeps its weights in a file of its own


def export_graph(spec: ModelSpec, source: Path, target: Path) -> Route:
    """Write ``target/model.onnx`` and return the route that made it.

    Optimum's exporter is used for a sentence-transformers folder whose own modules are those that the catalogue
    promises; for all else the encoder is wrapped and traced here.
    """
    if promised_by_source(spec, source):
        try:
            export_by_optimum(source, target)
        except (ValueError, KeyError, NotImplementedError, RuntimeError, ContractError) as error:
            log.warning("%s: optimum does not export this model (%s); tracing it instead", spec.name, error)
            for leftover in target.glob(f"{MODEL}*"):
                leftover.unlink()
        else:
            return "optimum"
    export_by_torch(spec, source, target)
    return "torch"


def promised_by_source(spec: ModelSpec, source: Path) -> bool:
    """Whether the folder's own modules are Transformer, the promised pooling, and the promised normalisation."""
    modules = _json(source / "modules.json")
    if modules is None:
        return False
    kinds = [module["type"].rsplit(".", 1)[-1] for module in modules]
    if kinds != ["Transformer", "Pooling", *(["Normalize"] if spec.normalize else [])]:
        return False
    pooling = _json(source / modules[1]["path"] / "config.json") or {}
    active = {key for key, value in pooling.items() if key.startswith("pooling_mode_") and value is True}
    return active == {"pooling_mode_mean_tokens" if spec.pooling == "mean" else "pooling_mode_cls_token"}


def _json(path: Path) -> Any:
    return json.loads(path.read_text(encoding="utf-8")) if path.is_file() else None


def export_by_optimum(source: Path, target: Path) -> None:
    """Export through Optimum, then keep the one output that is promised.

    Raises:
        ContractError: the graph has other inputs than ids and mask, or no sentence output.
    """
    main_export(
        str(source),
        output=target / "optimum",
        task="feature-extraction",
        library_name="sentence_transformers",
        do_validation=False,  # the gate does it, against the catalogue's promise
        no_post_process=True,
    )
    model = onnx.load(str(target / "optimum" / MODEL))
    names = {value.name for value in model.graph.input}
    outputs = {value.name for value in model.graph.output}
    if names != set(INPUTS) or OUTPUT not in outputs:
        msg = f"optimum's graph has inputs {sorted(names)} and outputs {sorted(outputs)}"
        raise ContractError(msg)
    for value in [value for value in model.graph.output if value.name != OUTPUT]:
        model.graph.output.remove(value)
    save(model, target / MODEL)


def export_by_torch(spec: ModelSpec, source: Path, target: Path) -> None:
    """Trace the encoder, pooled and normalised, by torch's TorchScript exporter at opset 17."""
    # "eager" attention is what every encoder family exports right by tracing.
    encoder = AutoModel.from_pretrained(str(source), attn_implementation="eager", dtype=torch.float32)
    # On the wrapper, not only the encoder: the exporter restores the wrapper's training flag on all its parts.
    wrapper = sentence_encoder(encoder, pooling=spec.pooling, normalize=spec.normalize).eval()
    ids = torch.ones((2, 8), dtype=torch.int64)
    mask = torch.ones((2, 8), dtype=torch.int64)
    mask[1, 5:] = 0
    axes = {0: "batch", 1: "sequence"}
    with torch.inference_mode():
        torch.onnx.export(
            wrapper,
            (ids, mask),
            str(target / MODEL),
            input_names=list(INPUTS),
            output_names=[OUTPUT],
            dynamic_axes={INPUTS[0]: axes, INPUTS[1]: axes, OUTPUT: {0: "batch"}},
            opset_version=OPSET,
            dynamo=False,
        )


def sentence_encoder(encoder: torch.nn.Module, *, pooling: str, normalize: bool) -> torch.nn.Module:
    """``(input_ids, attention_mask) → [N, D]``: the encoder with its pooling and L2 normalisation.

    Mean pooling is that of Reimers and Gurevych, Sentence-BERT (2019): the mask-weighted mean of the token vectors.
    """

    class SentenceEncoder(torch.nn.Module):  # type: ignore[misc]  # torch is not in every environment
        def __init__(self) -> None:
            super().__init__()
            self.encoder = encoder

        def forward(self, input_ids: torch.Tensor, attention_mask: torch.Tensor) -> torch.Tensor:
            tokens = self.encoder(input_ids=input_ids, attention_mask=attention_mask).last_hidden_state
            if pooling == "cls":
                pooled = tokens[:, 0]
            else:
                weights = attention_mask.unsqueeze(-1).to(tokens.dtype)
                pooled = (tokens * weights).sum(1) / weights.sum(1).clamp(min=1e-9)
            return torch.nn.functional.normalize(pooled, p=2.0, dim=1) if normalize else pooled

    return SentenceEncoder()


def save(model: onnx.ModelProto, path: Path) -> None:
    """Write the graph; weights past protobuf's 2 GB go to ``model.onnx.data`` beside it."""
    large = model.ByteSize() > MAX_PROTOBUF
    onnx.save(model, str(path), save_as_external_data=large, location=f"{path.name}.data" if large else None)


def opset_of(path: Path) -> int:
    """The graph's version of the standard operator set."""
    model = onnx.load(str(path), load_external_data=False)
    return next(int(entry.version) for entry in model.opset_import if entry.domain in ("", "ai.onnx"))
