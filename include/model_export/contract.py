"""What a graph of each kind takes and gives: the promise between export, gate and server."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from include.catalog.models import Kind

IDS = "input_ids"
MASK = "attention_mask"
PIXELS = "pixel_values"
MEL = "input_features"
VECTOR = "sentence_embedding"
WEIGHTS = "token_weights"

DType = Literal["INT64", "FP32"]


@dataclass(frozen=True)
class Tensor:
    """An input or output of a graph; an axis that has a name is dynamic, the others are the checkpoint's own."""

    name: str
    dtype: DType
    axes: tuple[str, ...]

    @property
    def dynamic(self) -> dict[int, str]:
        """Axis number → name, of those that must be open."""
        return {number: name for number, name in enumerate(self.axes) if name in OPEN}


OPEN = frozenset({"batch", "sequence"})


@dataclass(frozen=True)
class Contract:
    """Inputs and outputs, in the order of the graph."""

    inputs: tuple[Tensor, ...]
    outputs: tuple[Tensor, ...]


_TOKENS = (Tensor(IDS, "INT64", ("batch", "sequence")), Tensor(MASK, "INT64", ("batch", "sequence")))
_VECTOR = Tensor(VECTOR, "FP32", ("batch", "dimension"))
# Of each token the lexical weight, at least 0; 0 for padding and for the tokenizer's special tokens. A text's weight
# for a token id is the largest of that id's tokens.
_WEIGHTS = Tensor(WEIGHTS, "FP32", ("batch", "sequence"))
_PIXELS = Tensor(PIXELS, "FP32", ("batch", "channels", "height", "width"))
_MEL = Tensor(MEL, "FP32", ("batch", "channels", "frames", "mels"))

CONTRACTS: dict[Kind, Contract] = {
    "text": Contract(_TOKENS, (_VECTOR,)),
    "text_sparse": Contract(_TOKENS, (_VECTOR, _WEIGHTS)),
    "clip_text": Contract(_TOKENS, (_VECTOR,)),
    "clap_text": Contract(_TOKENS, (_VECTOR,)),
    "clip_image": Contract((_PIXELS,), (_VECTOR,)),
    "clap_audio": Contract((_MEL,), (_VECTOR,)),
    "image_features": Contract((_PIXELS,), (_VECTOR,)),
}
