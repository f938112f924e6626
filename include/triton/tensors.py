"""What goes over the wire to a served model of each kind, and what comes back."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from include.catalog.models import Kind, Medium, medium_of
from include.errors import InputError

DataType = Literal["BYTES", "FP32", "INT32"]
Array = NDArray[Any]
SparseRow = dict[int, float]  # token id → weight above 0

TEXT, IMAGE, AUDIO, LENGTH = "TEXT", "IMAGE", "AUDIO", "LENGTH"
EMBEDDING, SPARSE_INDICES, SPARSE_WEIGHTS = "EMBEDDING", "SPARSE_INDICES", "SPARSE_WEIGHTS"
NO_TOKEN = -1  # pads SPARSE_INDICES


@dataclass(frozen=True)
class Tensor:
    """An input or output without its batch axis; -1 is any size."""

    name: str
    dtype: DataType
    dims: tuple[int, ...]
    optional: bool = False


INPUTS: dict[Medium, tuple[Tensor, ...]] = {
    "text": (Tensor(TEXT, "BYTES", (1,)),),
    "image": (Tensor(IMAGE, "BYTES", (1,)),),
    # Samples are padded to the longest sound of a request; LENGTH says how many of a row count, without it all.
    "audio": (Tensor(AUDIO, "FP32", (-1,)), Tensor(LENGTH, "INT32", (1,), optional=True)),
}
SPARSE = (Tensor(SPARSE_INDICES, "INT32", (-1,)), Tensor(SPARSE_WEIGHTS, "FP32", (-1,)))


def inputs_of(kind: Kind) -> tuple[Tensor, ...]:
    """What a model of ``kind`` takes."""
    return INPUTS[medium_of(kind)]


def outputs_of(kind: Kind, dimension: int) -> tuple[Tensor, ...]:
    """What a model of ``kind`` gives."""
    return (Tensor(EMBEDDING, "FP32", (dimension,)), *(SPARSE if kind == "text_sparse" else ()))


def encode(medium: Medium, items: Sequence[Any]) -> dict[str, Array]:
    """The input tensors of one request for ``items``: texts, encoded images, or mono samples ``[S]``.

    A lone surrogate, which UTF-8 cannot hold, goes as ``?``.

    Raises:
        InputError: an item is not of the medium.
    """
    return _ENCODERS[medium](items)


def _texts(texts: Sequence[Any]) -> dict[str, Array]:
    _check_type(texts, str, "a text")
    return {TEXT: _column([text.encode("utf-8", "replace") for text in texts])}


def _images(images: Sequence[Any]) -> dict[str, Array]:
    _check_type(images, bytes, "an encoded image, as bytes")
    return {IMAGE: _column(images)}


def _sounds(sounds: Sequence[Any]) -> dict[str, Array]:
    rows = [np.asarray(sound) for sound in sounds]
    wrong = [number for number, row in enumerate(rows) if row.ndim != 1 or not row.size or row.dtype.kind != "f"]
    if wrong:
        row = rows[wrong[0]]
        msg = f"Item {wrong[0]} is not one row of float samples, at least one, but {row.dtype} {list(row.shape)}."
        raise InputError(msg)
    lengths = np.array([len(row) for row in rows], np.int32)
    samples = np.zeros((len(rows), int(lengths.max())), np.float32)
    for row, values in zip(samples, rows, strict=True):
        row[: len(values)] = values
    return {AUDIO: samples, LENGTH: lengths[:, None]}


_ENCODERS = {"text": _texts, "image": _images, "audio": _sounds}


def _check_type(items: Sequence[Any], kind: type, name: str) -> None:
    for number, item in enumerate(items):
        if not isinstance(item, kind):
            msg = f"Item {number} is not {name}, but {type(item).__name__}."
            raise InputError(msg)


def _column(values: Sequence[bytes]) -> Array:
    column = np.empty((len(values), 1), dtype=object)
    column[:, 0] = values
    return column


def sparse_rows(indices: Array, weights: Array) -> list[SparseRow]:
    """``[N, K]`` token ids and weights as one mapping a row."""
    return [
        {token: weight for token, weight in zip(tokens, values, strict=True) if token != NO_TOKEN}
        for tokens, values in zip(indices.tolist(), weights.tolist(), strict=True)
    ]
