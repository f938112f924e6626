"""Run in the export environment: packed encoders beside the padded source models, random and small; prints JSON.

The folders of the served code are on the path, and TRITON_INTERPRET=1 runs the kernel for short texts on a CPU.
"""

from __future__ import annotations

import json
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import torch
from packed_attention import Spans, one_by_one
from packed_batches import pack
from packed_embedder import PackedEmbedder
from packed_encoder import PackedEncoder, angles
from packed_graphs import RecordedRun
from packed_short_kernel import short_attention
from packed_texts import PackedTexts
from safetensors.torch import save_file
from transformers import BertConfig, BertModel, ModernBertConfig, ModernBertModel, XLMRobertaConfig, XLMRobertaModel

from include.catalog.models import ModelSpec
from include.model_export.export import write_tokenizer
from include.model_export.manifest import Reference
from include.model_export.packed import _read, write_packed
from include.model_export.reference_texts import TEXTS
from include.model_export.source_model import load_source
from tests.integration.model_export.export_cases import SPECS
from tests.integration.model_export.small_models import make

WIDTH, HEADS, LAYERS, VOCABULARY = 64, 4, 4, 500
SIZES = {"hidden_size": WIDTH, "intermediate_size": 96, "num_hidden_layers": LAYERS, "num_attention_heads": HEADS}
SPREAD = {"vocab_size": VOCABULARY, "initializer_range": 0.3}  # with the usual 0.02 all vectors are nearly the same
LENGTHS = [1, 2, 8, 300, 17, 1, 64, 65, 66, 130, 31, 32, 33, 299, 5, 200]


def modernbert(local_attention: int = 128) -> torch.nn.Module:
    config = ModernBertConfig(
        **SIZES, **SPREAD, initializer_cutoff_factor=3.0, local_attention=local_attention, pad_token_id=3,
        global_attn_every_n_layers=3, max_position_embeddings=512,
    )  # fmt: skip
    return ModernBertModel._from_config(config, attn_implementation="eager").eval()


def xlm_roberta() -> torch.nn.Module:
    config = XLMRobertaConfig(**SIZES, **SPREAD, pad_token_id=1, max_position_embeddings=514, type_vocab_size=1)
    return XLMRobertaModel(config).eval()


def bert() -> torch.nn.Module:
    return BertModel(BertConfig(**SIZES, **SPREAD, pad_token_id=0, max_position_embeddings=512)).eval()


def narrow() -> torch.nn.Module:
    return modernbert(local_attention=16)


MODELS: dict[str, Callable[[], torch.nn.Module]] = {
    "modernbert": modernbert, "modernbert, narrow window": narrow, "xlm_roberta": xlm_roberta, "bert": bert,
}  # fmt: skip


def padded(model: Any, texts: list[np.ndarray], pooling: str) -> np.ndarray:
    """As the source model is run: padded to the longest, masked."""
    ids = torch.full((len(texts), max(map(len, texts))), model.config.pad_token_id)
    mask = torch.zeros_like(ids)
    for row, text in enumerate(texts):
        ids[row, : len(text)] = torch.from_numpy(text).long()
        mask[row, : len(text)] = 1
    with torch.inference_mode():
        tokens = model(input_ids=ids, attention_mask=mask).last_hidden_state
    weights = mask[..., None].float()
    vectors = tokens[:, 0] if pooling == "cls" else (tokens * weights).sum(1) / weights.sum(1)
    return torch.nn.functional.normalize(vectors, dim=1).numpy()


def embedder(model: Any, pooling: str) -> PackedEmbedder:
    shape, weights = _read(model, WIDTH)
    shape |= {"pooling": pooling, "normalize": True}
    with tempfile.TemporaryDirectory() as folder:
        save_file({name: part.contiguous().clone() for name, part in weights.items()}, f"{folder}/packed.safetensors")
        Path(folder, "packed.json").write_text(json.dumps(shape))
        return PackedEmbedder(Path(folder), "cpu", "fp32")


def cosines(found: np.ndarray, expected: np.ndarray) -> float:
    return float(((found * expected).sum(1) / np.linalg.norm(found, axis=1)).min())


def equality(name: str, pooling: str) -> dict[str, float]:
    model = MODELS[name]()
    random = np.random.default_rng(0)
    texts = [random.integers(5, VOCABULARY, length).astype(np.int32) for length in LENGTHS]
    expected = padded(model, texts, pooling)
    packed = embedder(model, pooling)
    found, _ = packed.embed(texts)
    alone = np.concatenate([packed.embed([text])[0] for text in texts])
    others = expected @ expected.T - np.eye(len(texts))
    return {
        "together": cosines(found, expected), "alone": cosines(alone, expected), "nearest_other": float(others.max()),
        "norm_error": float(np.abs(np.linalg.norm(found, axis=1) - 1).max()),
    }  # fmt: skip


def fixed_size(pooling: str) -> dict[str, float]:
    """The same runs as a recorded graph has them: a fixed number of tokens and places, the rest padding."""
    model = modernbert()
    random = np.random.default_rng(1)
    texts = [random.integers(5, VOCABULARY, length).astype(np.int32) for length in (3, 30, 1, 12)]
    packed = pack(texts, 64, 8)
    ids, positions, owners, starts = (
        torch.from_numpy(part) for part in (packed.ids, packed.positions, packed.owners, packed.starts)
    )
    encoder: PackedEncoder = embedder(model, pooling).encoder
    with torch.inference_mode():
        found = encoder(ids, owners, Spans(starts, positions, 32, one_by_one))[0][: len(texts)].numpy()
        short = encoder(ids, owners, Spans(starts, positions, 32, short_attention))[0][: len(texts)].numpy()
    expected = padded(model, texts, pooling)
    return {"one_by_one": cosines(found, expected), "short_kernel": cosines(short, expected)}


def repeated() -> dict[str, float]:
    """Runs of fixed size, one after the other in the same memory, as a GPU has them: the work is done, not replayed."""
    model = modernbert()
    random = np.random.default_rng(2)
    packed = embedder(model, "mean")

    def again(work: Callable[[], Any]) -> Any:
        vectors, weights = work()
        return (lambda: vectors.copy_(work()[0])), (vectors, weights)

    with torch.inference_mode():
        packed.recorded = {
            32: {budget: RecordedRun(packed.encoder, budget, 32, short_attention, again) for budget in (64, 128)},
            128: {256: RecordedRun(packed.encoder, 256, 128, one_by_one, again)},
        }
        packed.budgets = {longest: tuple(runs) for longest, runs in packed.recorded.items()}
        worst = 1.0
        for count in (40, 3, 17, 1):
            texts = [
                random.integers(5, VOCABULARY, length).astype(np.int32) for length in random.integers(1, 200, count)
            ]
            worst = min(worst, cosines(packed.embed(texts)[0], padded(model, texts, "mean")))
    return {"cosine": worst}


def lexical() -> dict[str, float]:
    """A small BGE-M3, exported for a GPU and served packed: vectors and lexical weights beside the source model's."""
    with tempfile.TemporaryDirectory() as scratch:
        source, folder = make("bge_m3", Path(scratch)), Path(scratch, "export")
        folder.mkdir()
        spec = ModelSpec(name="bge_m3", source=str(source), **SPECS["bge_m3"])
        answer = load_source(spec, source, None)(TEXTS)
        pad = write_tokenizer(source, folder / "tokenizer.json")
        reference = Reference(texts=TEXTS, vectors=tuple(map(tuple, answer.vectors.tolist())))
        assert write_packed(spec, source, folder, reference)
        parameters = {
            "dimension": spec.dimension, "token_budget": 0, "pad_token_id": pad, "max_length": spec.max_length,
            "kind": spec.kind,
        }  # fmt: skip
        outputs = PackedTexts(folder, parameters, PackedEmbedder(folder, "cpu", "fp32")).embed(list(TEXTS))
    error = 0.0
    for tokens, weights, wanted in zip(
        outputs["SPARSE_INDICES"].tolist(), outputs["SPARSE_WEIGHTS"].tolist(), answer.weights, strict=True
    ):
        found = {token: weight for token, weight in zip(tokens, weights, strict=True) if token >= 0}
        errors = [abs(found.get(token, 0.0) - wanted.get(token, 0.0)) for token in found.keys() | wanted.keys()]
        error = max([error, *errors])
    largest = max(weight for row in answer.weights for weight in row.values())
    return {"cosine": cosines(outputs["EMBEDDING"], answer.vectors), "weight_error": error / largest}


def kernel(window: int, rope: bool) -> float:
    """The largest difference between the kernel for short texts and plain attention."""
    starts = torch.tensor([0, 1, 33, 40, 60, 60, 60], dtype=torch.int32)
    positions = torch.cat([torch.arange(n) for n in (1, 32, 7, 20)]).int()
    torch.manual_seed(0)
    qkv = torch.randn(60, 3 * WIDTH)
    table = angles({"width": WIDTH, "heads": HEADS, "positions": 64}, 10_000.0) if rope else None
    spans = Spans(starts, positions, 32, short_attention)
    expected = one_by_one(qkv, HEADS, spans, window, table)
    return float((short_attention(qkv, HEADS, spans, window, table) - expected).abs().max())


def main() -> None:
    torch.manual_seed(0)
    torch.set_num_threads(1)
    windows = [(window, rope) for window in (0, 8) for rope in (False, True)]
    found = {
        "equality": {f"{name}, {pooling}": equality(name, pooling) for name in MODELS for pooling in ("mean", "cls")},
        "lexical": lexical(),
        "repeated": repeated(),
        "fixed_size": {pooling: fixed_size(pooling) for pooling in ("mean", "cls")},
        "kernel": {f"window {window}, rope {rope}": kernel(window, rope) for window, rope in windows},
    }  # fmt: skip
    sys.stdout.write(json.dumps(found))


if __name__ == "__main__":
    main()
