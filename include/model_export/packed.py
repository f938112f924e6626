"""What a GPU needs to run a text encoder on packed texts: its weights by name, and its shape.

The graph is no source for them: exporting folds and transposes weights, and renames them to numbers. So they are
written from the source model, for the families that ``triton_models/gpu_packed`` computes. In float16, as they are
served there, they add half the size of a float32 graph.
"""

from __future__ import annotations

import json
import logging
import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from safetensors.torch import save_file
from tokenizers import Tokenizer
from transformers import AutoModel

from include.catalog.models import ModelSpec
from include.model_export.manifest import PACKED_SHAPE, PACKED_WEIGHTS, TOKENIZER, Reference
from include.model_export.towers import lexical_head, special_ids

log = logging.getLogger(__name__)

CODE = Path(__file__).resolve().parents[2] / "triton_models" / "gpu_packed"
MIN_COSINE = 0.999  # float16 weights against the source model

Weights = dict[str, torch.Tensor]
Shape = dict[str, Any]


class Unsupported(Exception):
    """The encoder has a part that packed texts are not computed with; the message names it."""


def write_packed(spec: ModelSpec, source: Path, folder: Path, reference: Reference) -> bool:
    """Write ``packed.safetensors`` and ``packed.json`` into ``folder``; ``False`` where this encoder cannot be packed.

    Weights that do not give the source model's vectors of the ``reference`` texts are not kept.
    """
    try:
        encoder = AutoModel.from_pretrained(str(source), dtype=torch.float32).eval()
        shape, weights = _read(encoder, spec.dimension)
        shape |= {"pooling": spec.pooling, "normalize": spec.normalize}
        if spec.kind == "text_sparse":
            shape["special_ids"] = special_ids(source)
            weights |= {f"lexical.{name}": part for name, part in lexical_head(spec, source).state_dict().items()}
        save_file({name: part.half().contiguous() for name, part in weights.items()}, folder / PACKED_WEIGHTS)
        (folder / PACKED_WEIGHTS).chmod(0o644)  # safetensors writes for its owner alone
        (folder / PACKED_SHAPE).write_text(json.dumps(shape, indent=1) + "\n", encoding="utf-8")
        del encoder, weights
        _check(spec, folder, reference)
    except Unsupported as reason:
        log.info("%s: no packed weights for a GPU: %s", spec.name, reason)
        for name in (PACKED_WEIGHTS, PACKED_SHAPE):
            (folder / name).unlink(missing_ok=True)
        return False
    return True


def _read(encoder: Any, dimension: int) -> tuple[Shape, Weights]:
    family = encoder.config.model_type
    _demand(encoder.config, hidden_size=dimension)
    readers: dict[str, Callable[[Any, Weights], tuple[Shape, Weights]]] = {
        "modernbert": _modernbert,
        "bert": _bert,
        "roberta": _bert,
        "xlm-roberta": _bert,
    }
    if family not in readers:
        msg = f"model type {family} is not one of {', '.join(readers)}"
        raise Unsupported(msg)
    return readers[family](encoder.config, encoder.state_dict())


def _demand(config: Any, **wanted: object) -> None:
    for name, value in wanted.items():
        found = getattr(config, name, value)
        if found != value:
            msg = f"its {name} is {found!r}, not {value!r}"
            raise Unsupported(msg)


def _modernbert(config: Any, found: Weights) -> tuple[Shape, Weights]:
    _demand(config, hidden_activation="gelu", rope_scaling=None)
    shape = {
        "family": "modernbert",
        "width": config.hidden_size,
        "inner": config.intermediate_size,
        "heads": config.num_attention_heads,
        "layers": config.num_hidden_layers,
        "vocabulary": config.vocab_size,
        "positions": config.max_position_embeddings,
        "norm_eps": config.norm_eps,
        "biases": {"norm": config.norm_bias, "attention": config.attention_bias, "mlp": config.mlp_bias},
        "window": config.local_attention // 2,
        "global_every": config.global_attn_every_n_layers,
        "rope_bases": [config.global_rope_theta, config.local_rope_theta or config.global_rope_theta],
    }
    parts = {
        "embeddings.tok_embeddings": "tokens",
        "embeddings.norm": "embedding_norm",
        "final_norm": "final_norm",
    }
    inside = {
        "attn_norm": "attention_norm",
        "attn.Wqkv": "qkv",
        "attn.Wo": "out",
        "mlp_norm": "mlp_norm",
        "mlp.Wi": "wi",
        "mlp.Wo": "wo",
    }
    parts |= {f"layers.{n}.{old}": f"layers.{n}.{new}" for n in range(shape["layers"]) for old, new in inside.items()}
    return shape, _renamed(found, parts)


def _bert(config: Any, found: Weights) -> tuple[Shape, Weights]:
    _demand(config, hidden_act="gelu", position_embedding_type="absolute", is_decoder=False)
    # RoBERTa's positions begin behind the number of its padding token.
    begin = 0 if config.model_type == "bert" else config.pad_token_id + 1
    # All tokens of a text have type 0, so its vector is part of every position's.
    places = found["embeddings.position_embeddings.weight"][begin:]
    places = places + found["embeddings.token_type_embeddings.weight"][0]
    shape = {
        "family": "bert",
        "width": config.hidden_size,
        "inner": config.intermediate_size,
        "heads": config.num_attention_heads,
        "layers": config.num_hidden_layers,
        "vocabulary": config.vocab_size,
        "positions": len(places),
        "norm_eps": config.layer_norm_eps,
    }
    parts = {"embeddings.word_embeddings": "tokens", "embeddings.LayerNorm": "embedding_norm"}
    inside = {
        "attention.output.dense": "out",
        "attention.output.LayerNorm": "attention_norm",
        "intermediate.dense": "wi",
        "output.dense": "wo",
        "output.LayerNorm": "mlp_norm",
    }
    weights = {"places.weight": places}
    for n in range(shape["layers"]):
        old, new = f"encoder.layer.{n}", f"layers.{n}"
        parts |= {f"{old}.{name}": f"{new}.{ours}" for name, ours in inside.items()}
        for kind in ("weight", "bias"):
            own = [found[f"{old}.attention.self.{name}.{kind}"] for name in ("query", "key", "value")]
            weights[f"{new}.qkv.{kind}"] = torch.cat(own)
    return shape, weights | _renamed(found, parts)


def _renamed(found: Weights, parts: dict[str, str]) -> Weights:
    names = {f"{old}.{kind}": f"{new}.{kind}" for old, new in parts.items() for kind in ("weight", "bias")}
    return {new: found[old] for old, new in names.items() if old in found}


def _check(spec: ModelSpec, folder: Path, reference: Reference) -> None:
    vectors = embed_packed(folder, reference.texts, max_length=spec.max_length)
    expected = np.array(reference.vectors, np.float32)
    if not np.isfinite(vectors).all():
        msg = "in float16 its vectors are not finite"
        raise Unsupported(msg)
    norms = np.linalg.norm(vectors, axis=1) * np.linalg.norm(expected, axis=1)
    worst = float(((vectors * expected).sum(1) / norms).min())
    if worst < MIN_COSINE:
        msg = f"packed, its smallest cosine to the source model is {worst:.6f}, allowed is {MIN_COSINE}"
        raise Unsupported(msg)
    log.info("%s: packed weights for a GPU, smallest cosine %.6f", spec.name, worst)


def embed_packed(folder: Path, texts: Sequence[str], *, max_length: int) -> NDArray[np.float32]:
    """The vectors ``[N, D]`` of ``texts`` by the GPU's code, on this CPU in float32."""
    if str(CODE) not in sys.path:
        sys.path.insert(0, str(CODE))
    from packed_embedder import PackedEmbedder  # noqa: PLC0415 — found on the path of the line above

    tokenizer = Tokenizer.from_file(str(folder / TOKENIZER))
    tokenizer.no_padding()
    tokenizer.enable_truncation(max_length)
    encodings = tokenizer.encode_batch_fast(list(texts))
    embedder = PackedEmbedder(folder, "cpu", "fp32")
    vectors: NDArray[np.float32]
    vectors, _ = embedder.embed([np.array(encoding.ids, np.int32) for encoding in encodings])
    return vectors
