"""What a model embeds and what comes out: texts, encoded images or samples in, vectors and lexical weights out."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

Item = str | bytes | NDArray[np.float32]  # a text, an encoded image, mono samples
Vectors = NDArray[np.float32]  # [N, D]


@dataclass(frozen=True)
class Encoded:
    """The output for N items."""

    vectors: Vectors
    weights: tuple[Mapping[int, float], ...] = ()  # of each text, token id → lexical weight above 0

    @classmethod
    def joined(cls, parts: Sequence[Encoded]) -> Encoded:
        """All parts as one."""
        return cls(
            np.concatenate([part.vectors for part in parts]), tuple(row for part in parts for row in part.weights)
        )


class Encoder(Protocol):
    """A model, whatever runs it."""

    def __call__(self, items: Sequence[Item]) -> Encoded:
        """Embed."""
        ...


def largest_weights(ids: NDArray[np.int64], weights: NDArray[np.float32]) -> tuple[dict[int, float], ...]:
    """Token ids and weights ``[N, L]`` to one weight for each id of a text: the largest, where it is above 0."""
    rows = []
    for row_ids, row_weights in zip(ids.tolist(), weights.tolist(), strict=True):
        best: dict[int, float] = {}
        for token, weight in zip(row_ids, row_weights, strict=True):
            if weight > best.get(token, 0.0):
                best[token] = weight
        rows.append(best)
    return tuple(rows)


def batched(encoder: Encoder, items: Sequence[Item], size: int) -> Encoded:
    """Embed in batches of ``size``, in the order of the items."""
    return Encoded.joined([encoder(items[start : start + size]) for start in range(0, len(items), size)])
