"""Defects drawn onto a surface: each kind looks alike on every product, wherever it lies and however large it is."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from include.images.textures import Floats, Random, clouds

Draw = Callable[[Floats, Random], Floats]


@dataclass(frozen=True)
class Defect:
    """What may be wrong with a product."""

    code: str
    name: str  # Korean, as the column says
    draw: Draw  # [side, side, 3] from 0 to 255 → the same with the defect


def _scratch(picture: Floats, random: Random) -> Floats:
    """A thin bright line with a dark edge, slightly bent."""
    side = len(picture)
    down, across = np.mgrid[0:side, 0:side].astype(float)
    angle, bend = random.uniform(0, np.pi), random.uniform(-0.4, 0.4) / side
    middle = random.uniform(0.3, 0.7, 2) * side
    along = (across - middle[0]) * np.cos(angle) + (down - middle[1]) * np.sin(angle)
    beside = -(across - middle[0]) * np.sin(angle) + (down - middle[1]) * np.cos(angle) + bend * along**2
    inside = np.abs(along) < side * random.uniform(0.25, 0.4)
    line = np.exp(-((beside / 1.3) ** 2)) * inside
    edge = np.exp(-(((beside - 3) / 1.3) ** 2)) * inside
    return _mixed(_mixed(picture, edge * 0.8, 15), line, 250)


def _dent(picture: Floats, random: Random) -> Floats:
    """A round hollow: light on one side, shade on the other."""
    side = len(picture)
    down, across = np.mgrid[0:side, 0:side].astype(float)
    middle, radius = random.uniform(0.3, 0.7, 2) * side, side * random.uniform(0.13, 0.19)
    x, y = (across - middle[0]) / radius, (down - middle[1]) / radius
    slope = (x + y) * np.exp(-1.4 * (x * x + y * y))
    bent: Floats = np.clip(picture + 130 * slope[..., None], 0, 255)
    return bent


def _stain(picture: Floats, random: Random) -> Floats:
    """A dark brown spot of no shape."""
    side = len(picture)
    down, across = np.mgrid[0:side, 0:side].astype(float)
    middle, radius = random.uniform(0.3, 0.7, 2) * side, side * random.uniform(0.15, 0.22)
    far = np.hypot(across - middle[0], down - middle[1]) / radius + 0.9 * (clouds(side, random, 7) - 0.5)
    inside = 1 / (1 + np.exp(12 * (far - 1)))
    spoilt: Floats = picture * (1 - 0.85 * inside[..., None]) + 0.85 * inside[..., None] * np.array([66, 38, 10])
    return spoilt


def _misprint(picture: Floats, random: Random) -> Floats:
    """Rows of letters in magenta and cyan, printed beside each other."""
    side = len(picture)
    mask = _letters(side, random)
    printed = picture
    for shift, ink in ((0, (226, 0, 122)), (max(2, side // 64), (0, 158, 224))):
        layer = np.roll(mask, (shift, shift), (0, 1))[..., None] * 0.8
        printed = printed * (1 - layer) + layer * np.array(ink)
    return printed


def _letters(side: int, random: Random) -> Floats:
    """``[side, side]`` 1 where there is ink: random strokes in a grid of cells."""
    mask = np.zeros((side, side))
    cell, rows, columns = side // 16, 3, 7
    top, left = (int(random.uniform(0.15, 0.55) * side), int(random.uniform(0.1, 0.4) * side))
    stroke = max(2, cell // 5)
    for row in range(rows):
        for column in range(columns):
            y, x = top + row * (cell * 3 // 2), left + column * cell
            size = cell - stroke
            for place in random.permutation(4)[:3]:  # three of the four sides of a box
                if place < 2:
                    at = y + place * (size - stroke)
                    mask[at : at + stroke, x : x + size] = 1
                else:
                    at = x + (place - 2) * (size - stroke)
                    mask[y : y + size, at : at + stroke] = 1
    return mask


def _mixed(picture: Floats, share: Floats, value: float) -> Floats:
    mixed: Floats = picture * (1 - share[..., None]) + share[..., None] * value
    return mixed


DEFECTS = (
    Defect("scratch", "긁힘", _scratch),
    Defect("dent", "찍힘", _dent),
    Defect("stain", "얼룩", _stain),
    Defect("misprint", "인쇄 불량", _misprint),
)
