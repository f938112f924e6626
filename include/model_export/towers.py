"""Weights as a torch module whose forward is the promised graph: pooling, L2 norm and the lexical head inside."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from transformers import AutoConfig, AutoModel, AutoTokenizer, ClapModel, CLIPModel

from include.catalog.models import Kind, ModelSpec
from include.errors import InputError
from include.model_export.contract import CONTRACTS
from include.model_export.manifest import AudioPreprocess, ImagePreprocess, Preprocess
from include.model_export.picture_reference import read_shape
from include.model_export.picture_tower import PictureFeatures

SPARSE_HEAD = "sparse_linear.pt"


@dataclass(frozen=True)
class Tower:
    """A module in evaluation mode, and example inputs in the order of its contract."""

    module: torch.nn.Module
    examples: tuple[torch.Tensor, ...]


def build_tower(spec: ModelSpec, source: Path, preprocess: Preprocess | None, *, half: bool = False) -> Tower:
    """The tower of ``spec``; with ``half`` its encoder computes in float16, pooling and norm in float32 all the same.

    Raises:
        InputError: the source is of another kind than the catalogue says.
    """
    dtype = torch.float16 if half else torch.float32
    module = _MODULES[spec.kind](spec, source, dtype)
    # On the whole, not only the encoder: the exporter restores the outermost training flag on all parts.
    return Tower(module.eval(), _examples(preprocess))


def _examples(preprocess: Preprocess | None) -> tuple[torch.Tensor, ...]:
    if isinstance(preprocess, ImagePreprocess):
        return (torch.zeros((2, 3, *preprocess.crop)),)
    if isinstance(preprocess, AudioPreprocess):
        return (torch.zeros((2, 1, preprocess.frames, preprocess.mels)),)
    mask = torch.ones((2, 8), dtype=torch.int64)
    mask[1, 5:] = 0
    return torch.ones((2, 8), dtype=torch.int64), mask


def _load(kind: Any, source: Path, dtype: torch.dtype) -> Any:
    # "eager" attention is what every encoder family exports right by tracing, in float16 as well.
    return kind.from_pretrained(str(source), attn_implementation="eager", dtype=dtype)


def finished(vectors: torch.Tensor, *, normalize: bool) -> torch.Tensor:
    """``[N, D]`` in float32, of length 1 where that is promised."""
    vectors = vectors.float()
    return torch.nn.functional.normalize(vectors, p=2.0, dim=1) if normalize else vectors


class SentenceEncoder(torch.nn.Module):  # type: ignore[misc]  # torch is not in every environment
    """``(input_ids, attention_mask) → [N, D]``.

    Mean pooling is that of Reimers and Gurevych, Sentence-BERT (2019): the mask-weighted mean of the token vectors.
    """

    def __init__(self, spec: ModelSpec, source: Path, dtype: torch.dtype) -> None:
        super().__init__()
        self.spec = spec
        self.encoder = _load(AutoModel, source, dtype)

    def forward(self, input_ids: torch.Tensor, attention_mask: torch.Tensor) -> torch.Tensor:
        """The graph."""
        return self.pooled(self.tokens(input_ids, attention_mask), attention_mask)

    def tokens(self, input_ids: torch.Tensor, attention_mask: torch.Tensor) -> torch.Tensor:
        """Token vectors ``[N, L, D]`` in float32."""
        return self.encoder(input_ids=input_ids, attention_mask=attention_mask).last_hidden_state.float()

    def pooled(self, tokens: torch.Tensor, attention_mask: torch.Tensor) -> torch.Tensor:
        """Text vectors ``[N, D]``."""
        if self.spec.pooling == "cls":
            pooled = tokens[:, 0]
        else:
            weights = attention_mask.unsqueeze(-1).float()
            pooled = (tokens * weights).sum(1) / weights.sum(1).clamp(min=1e-9)
        return finished(pooled, normalize=self.spec.normalize)


class LexicalEncoder(SentenceEncoder):
    """``(input_ids, attention_mask) → [N, D], token weights [N, L]``, as BGE-M3 (Chen et al., 2024)."""

    def __init__(self, spec: ModelSpec, source: Path, dtype: torch.dtype) -> None:
        super().__init__(spec, source, dtype)
        self.lexical = lexical_head(spec, source)
        self.special = special_ids(source)

    def forward(self, input_ids: torch.Tensor, attention_mask: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        """The graph."""
        tokens = self.tokens(input_ids, attention_mask)
        counts = attention_mask.float()
        for token in self.special:
            counts = counts * (input_ids != token).float()
        weights = torch.relu(self.lexical(tokens)).squeeze(-1) * counts
        return self.pooled(tokens, attention_mask), weights


def lexical_head(spec: ModelSpec, source: Path) -> torch.nn.Module:
    """The linear layer from a token's vector to its weight, which BGE-M3 keeps in a file of its own."""
    path = source / SPARSE_HEAD
    if not path.is_file():
        msg = f"Model {spec.name} is of kind text_sparse, but its source has no {SPARSE_HEAD}: {source}."
        raise InputError(msg)
    weights = torch.load(path, map_location="cpu", weights_only=True)
    head = torch.nn.Linear(weights["weight"].shape[1], 1)
    head.load_state_dict({name: value.float() for name, value in weights.items()})
    return head


def special_ids(source: Path) -> tuple[int, ...]:
    """Tokens that are no words: begin, end, padding, unknown."""
    tokenizer = AutoTokenizer.from_pretrained(str(source), use_fast=True)
    ids = (tokenizer.cls_token_id, tokenizer.eos_token_id, tokenizer.pad_token_id, tokenizer.unk_token_id)
    return tuple(sorted({number for number in ids if number is not None}))


class JointTower(torch.nn.Module):  # type: ignore[misc]
    """One tower of a model whose towers share their space: its own pooling and projection, then the norm."""

    def __init__(self, spec: ModelSpec, model: Any, tower: str, projection: str, inputs: tuple[str, ...]) -> None:
        super().__init__()
        self.spec, self.inputs = spec, inputs
        self.tower, self.projection = getattr(model, tower), getattr(model, projection)
        self.dtype = model.dtype

    def forward(self, *values: torch.Tensor) -> torch.Tensor:
        """The graph."""
        floating = (value.to(self.dtype) if value.is_floating_point() else value for value in values)
        answer = self.tower(**dict(zip(self.inputs, floating, strict=True)))
        return finished(self.projection(answer.pooler_output), normalize=self.spec.normalize)


def _joint(kind: Any, medium: str, projection: str) -> Callable[[ModelSpec, Path, torch.dtype], torch.nn.Module]:
    def build(spec: ModelSpec, source: Path, dtype: torch.dtype) -> torch.nn.Module:
        family = spec.kind.split("_", maxsplit=1)[0]
        found = AutoConfig.from_pretrained(str(source)).model_type
        if found != family:
            msg = f"Model {spec.name} is of kind {spec.kind}, but its source is a {found} model: {source}."
            raise InputError(msg)
        inputs = tuple(tensor.name for tensor in CONTRACTS[spec.kind].inputs)
        return JointTower(spec, _load(kind, source, dtype), f"{medium}_model", projection, inputs)

    return build


_MODULES: dict[Kind, Callable[[ModelSpec, Path, torch.dtype], torch.nn.Module]] = {
    "text": SentenceEncoder,
    "text_sparse": LexicalEncoder,
    "clip_text": _joint(CLIPModel, "text", "text_projection"),
    "clip_image": _joint(CLIPModel, "vision", "visual_projection"),
    "clap_text": _joint(ClapModel, "text", "text_projection"),
    "clap_audio": _joint(ClapModel, "audio", "audio_projection"),
    "image_features": lambda _, source, dtype: PictureFeatures(read_shape(source), half=dtype == torch.float16),
}
