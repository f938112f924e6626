"""Histograms of colour and texture, as they are defined: in numpy, one picture at a time.

A picture's vector has five parts, each of length 1 before it is weighted:

- colour: a joint histogram of R, G and B, each value shared between its two nearest levels, then its square roots;
- texture: how strong edges are in each direction, at each scale, on the whole picture;
- spread: how much that differs between patches (mean absolute deviation);
- peak: by how much the strongest patch exceeds the mean: a scratch is one strong patch, wherever it lies;
- spots: by how much the patches of the most extreme colour and lightness differ from the mean: a stain, a dent.

No part depends on where something lies. The exported graph is compared with this.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]

GREY = (0.299, 0.587, 0.114)
TINY = 1e-6  # a part below it is left as it is


@dataclass(frozen=True)
class FeatureShape:
    """What ``config.json`` says."""

    side: int  # pixels
    colour_levels: int
    colour_pool: int  # pixels that are averaged before colours are counted
    orientations: int
    scales: tuple[int, ...]  # pixels that are averaged before edges are looked for
    patch: int  # pixels
    weights: dict[str, float]  # of the parts

    @property
    def dimension(self) -> int:
        """Of a vector."""
        return self.colour_levels**3 + 3 * self.orientations * len(self.scales) + 8


def read_shape(folder: Path) -> FeatureShape:
    """The shape that ``folder`` describes."""
    entries = json.loads((folder / "config.json").read_text(encoding="utf-8"))
    entries.pop("model_type")
    return FeatureShape(**{**entries, "scales": tuple(entries["scales"])})


def picture_vector(pixels: NDArray[np.float32], shape: FeatureShape) -> Floats:
    """``[D]`` of length 1, of a picture ``[3, side, side]`` with values from 0 to 1."""
    picture = pixels.astype(np.float64)
    grey = np.tensordot(np.array(GREY), picture, axes=1)
    patches = [_edges(pooled(grey, scale), shape, shape.patch // scale) for scale in shape.scales]
    parts = {
        "colour": np.sqrt(_colours(pooled(picture, shape.colour_pool), shape.colour_levels)),
        "texture": np.concatenate([each.mean(axis=(1, 2)) for each in patches]),
        "spread": np.concatenate([np.abs(each - _mean(each)).mean(axis=(1, 2)) for each in patches]),
        "peak": np.concatenate([(each - _mean(each)).max(axis=(1, 2)) for each in patches]),
        "spots": _spots(np.concatenate([picture, grey[None]]), shape.patch),
    }
    return _unit(np.concatenate([shape.weights[name] * _unit(part) for name, part in parts.items()]))


def pooled(picture: Floats, size: int) -> Floats:
    """Means of squares of ``size`` pixels over the last two axes; what does not fill a square is left out."""
    high, wide = picture.shape[-2] // size, picture.shape[-1] // size
    cut = picture[..., : high * size, : wide * size]
    squares: Floats = cut.reshape(*picture.shape[:-2], high, size, wide, size).mean(axis=(-3, -1))
    return squares


def _colours(picture: Floats, levels: int) -> Floats:
    """``[levels³]`` the joint histogram."""
    steps = np.arange(levels)[:, None]
    red, green, blue = (np.maximum(0, 1 - np.abs(each.ravel() * (levels - 1) - steps)) for each in picture)
    joint: Floats = np.einsum("ap,bp,cp->abc", red, green, blue) / picture[0].size
    return joint.ravel()


def _edges(grey: Floats, shape: FeatureShape, patch: int) -> Floats:
    """``[orientations, P, P]`` strength of edges in each patch, by Sobel's operator."""
    left, right = grey[:, :-2], grey[:, 2:]
    across = (right - left)[:-2] + 2 * (right - left)[1:-1] + (right - left)[2:]
    upper, lower = grey[:-2], grey[2:]
    down = (lower - upper)[:, :-2] + 2 * (lower - upper)[:, 1:-1] + (lower - upper)[:, 2:]
    angles = np.arange(shape.orientations) * np.pi / shape.orientations
    return np.stack([pooled(np.abs(across * np.cos(angle) + down * np.sin(angle)), patch) for angle in angles])


def _spots(channels: Floats, patch: int) -> Floats:
    """``[8]`` for R, G, B and grey: highest patch above the mean, lowest patch below it."""
    patches = pooled(channels, patch)
    away = patches - _mean(patches)
    return np.concatenate([away.max(axis=(1, 2)), -away.min(axis=(1, 2))])


def _mean(patches: Floats) -> Floats:
    found: Floats = patches.mean(axis=(1, 2), keepdims=True)
    return found


def _unit(part: Floats) -> Floats:
    scaled: Floats = part / max(float(np.linalg.norm(part)), TINY)
    return scaled
