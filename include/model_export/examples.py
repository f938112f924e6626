"""On which inputs an export of a model is compared with its source, and which of them go along as its reference."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import cast

import numpy as np
from numpy.typing import NDArray

from include.catalog.models import ModelSpec
from include.model_export.items import Encoded, Item
from include.model_export.manifest import AudioPreprocess, Preprocess, Reference
from include.model_export.reference_media import pictures, sounds
from include.model_export.reference_texts import ranking_texts, texts_for

FILES = 6  # pictures or sounds kept beside the manifest; texts are all kept in it


@dataclass(frozen=True)
class Examples:
    """Inputs of one model."""

    items: Sequence[Item]
    neighbours: Sequence[Item]  # among which ranks are compared


def examples_for(spec: ModelSpec, preprocess: Preprocess | None) -> Examples:
    """Texts in the languages that the entry names; pictures; sounds at the model's sample rate."""
    if isinstance(preprocess, AudioPreprocess):
        items: Sequence[Item] = sounds(preprocess.sample_rate)
        return Examples(items, items)
    if preprocess is not None:
        return Examples(pictures(), pictures())
    return Examples(texts_for(spec.languages), ranking_texts(spec.languages))


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
