"""On which inputs an export of a model is compared with its source, and which of them go along as its reference."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import cast

import numpy as np
from numpy.typing import NDArray
from tokenizers import Tokenizer

from include.catalog.models import ModelSpec
from include.model_export.items import Encoded, Item
from include.model_export.manifest import TOKENIZER, AudioPreprocess, Preprocess, Reference
from include.model_export.reference_media import pictures, sounds
from include.model_export.reference_texts import ranking_texts, texts_for

# Attention takes memory by the square: 2,048 tokens take a model with 12 heads some 0.2 GB a matrix and some seconds on
# a CPU, 8,192 take 16 times that.
LONG_TOKENS = 2048
ROOM = 4  # tokens that begin and end a text
FILES = 6  # pictures or sounds kept beside the manifest; texts are all kept in it


@dataclass(frozen=True)
class Examples:
    """Inputs of one model."""

    items: Sequence[Item]
    neighbours: Sequence[Item]  # among which ranks are compared
    long: tuple[str, ...] = ()  # embedded alone, for its memory


def examples_for(spec: ModelSpec, preprocess: Preprocess | None, folder: Path) -> Examples:
    """Texts in the languages that the entry names, by the tokenizer in ``folder``; pictures; sounds."""
    if isinstance(preprocess, AudioPreprocess):
        items: Sequence[Item] = sounds(preprocess.sample_rate)
        return Examples(items, items)
    if preprocess is not None:
        return Examples(pictures(), pictures())
    texts = texts_for(spec.languages)
    return Examples(texts, ranking_texts(spec.languages), (_long_text(spec, folder, " ".join(texts)),))


def _long_text(spec: ModelSpec, folder: Path, words: str) -> str:
    """A text of nearly the most tokens that the model takes, but not more than ``LONG_TOKENS``."""
    tokenizer = Tokenizer.from_file(str(folder / TOKENIZER))
    tokenizer.no_truncation()
    wanted = min(spec.max_length, LONG_TOKENS) - ROOM
    times = 1 + wanted // max(1, len(tokenizer.encode(words).ids) - ROOM)
    repeated = " ".join([words] * times)
    offsets = tokenizer.encode(repeated, add_special_tokens=False).offsets
    return repeated[: offsets[:wanted][-1][1]]


def write_reference(folder: Path, items: Sequence[Item], answer: Encoded) -> Reference:
    """The reference of a manifest; pictures and sounds are written into ``folder``."""
    if isinstance(items[0], str):
        texts = tuple(cast(Sequence[str], items))
        return Reference(texts=texts, vectors=_rows(answer), weights=tuple(dict(row) for row in answer.weights))
    kept = [_write(folder, number, item) for number, item in enumerate(items[:FILES])]
    return Reference(files=tuple(kept), vectors=_rows(answer)[: len(kept)])


def _write(folder: Path, number: int, item: Item) -> str:
    if isinstance(item, bytes):
        name = f"reference_{number}.png"
        (folder / name).write_bytes(item)
    else:
        name = f"reference_{number}.npy"
        np.save(folder / name, cast(NDArray[np.float32], item))
    return name


def _rows(answer: Encoded) -> tuple[tuple[float, ...], ...]:
    return tuple(tuple(round(float(value), 8) for value in vector) for vector in answer.vectors)
