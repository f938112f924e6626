"""Surfaces of products, drawn in numpy: the same product looks alike in every picture, and no two are equal."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]
Random = np.random.Generator
Colour = tuple[int, int, int]


@dataclass(frozen=True)
class Product:
    """What is photographed: a surface between two colours."""

    code: str
    name: str
    dark: Colour
    light: Colour
    surface: Callable[[int, Random], Floats]  # side, random → [side, side] from 0 (dark) to 1 (light)


def picture_of(product: Product, side: int, random: Random) -> Floats:
    """``[side, side, 3]`` from 0 to 255: another piece of the surface, in another light, each time."""
    shade = np.clip(product.surface(side, random), 0, 1)[..., None]
    dark, light = np.array(product.dark, float), np.array(product.light, float)
    lit = 1 + random.uniform(-0.06, 0.06) + random.uniform(-0.05, 0.05) * np.linspace(-1, 1, side)[None, :, None]
    grain = random.normal(0, 2.0, (side, side, 1))
    drawn: Floats = np.clip((dark + shade * (light - dark)) * lit + grain, 0, 255)
    return drawn


def clouds(side: int, random: Random, cells: int) -> Floats:
    """``[side, side]`` smooth noise with about ``cells`` bumps on a side, from 0 to 1."""
    coarse = random.random((cells + 2, cells + 2))
    at = np.linspace(0, cells, side)
    low, share = at.astype(int), at - at.astype(int)
    share = share * share * (3 - 2 * share)
    rows = coarse[low] * (1 - share)[:, None] + coarse[low + 1] * share[:, None]
    found: Floats = rows[:, low] * (1 - share) + rows[:, low + 1] * share
    return found


def _axes(side: int) -> tuple[Floats, Floats]:
    down, across = np.mgrid[0:side, 0:side] / side
    return down, across


def _wood(side: int, random: Random) -> Floats:
    down, across = _axes(side)
    bent = across + 0.06 * np.sin(2 * np.pi * (down * 1.3 + random.random())) + 0.05 * clouds(side, random, 4)
    shade: Floats = 0.5 + 0.4 * np.sin(2 * np.pi * (9 * bent + random.random())) + 0.1 * clouds(side, random, 60)
    return shade


def _brushed(side: int, random: Random) -> Floats:
    lines = random.random((side, 1)) * 0.6 + 0.2
    return np.broadcast_to(lines, (side, side)) + 0.15 * clouds(side, random, 3)


def _woven(side: int, random: Random) -> Floats:
    down, across = _axes(side)
    shift = random.random(2)
    threads = np.sin(2 * np.pi * (24 * across + shift[0])) * np.sin(2 * np.pi * (24 * down + shift[1]))
    shade: Floats = 0.5 + 0.35 * np.sign(threads) * np.abs(threads) ** 0.5
    return shade


def _leather(side: int, random: Random) -> Floats:
    folds = np.abs(clouds(side, random, 28) - clouds(side, random, 24))
    shade: Floats = 0.3 + 1.2 * folds
    return shade


def _tiles(side: int, random: Random) -> Floats:
    down, across = _axes(side)
    shift = random.random(2)
    joints = (np.mod(5 * across + shift[0], 1) < 0.06) | (np.mod(5 * down + shift[1], 1) < 0.06)
    shade: Floats = np.where(joints, 0.0, 0.85 + 0.15 * clouds(side, random, 6))
    return shade


def _carton(side: int, random: Random) -> Floats:
    _, across = _axes(side)
    flutes = 0.5 + 0.18 * np.sin(2 * np.pi * (32 * across + random.random()))
    shade: Floats = flutes + 0.25 * (clouds(side, random, 90) - 0.5)
    return shade


def _marble(side: int, random: Random) -> Floats:
    down, across = _axes(side)
    veins = np.sin(2 * np.pi * (2 * (across + down) + 1.8 * clouds(side, random, 5) + random.random()))
    shade: Floats = 1 - 0.8 * np.exp(-8 * np.abs(veins))
    return shade


def _rubber(side: int, random: Random) -> Floats:
    down, across = _axes(side)
    shift = random.random(2)
    studs = np.cos(2 * np.pi * (12 * across + shift[0])) + np.cos(2 * np.pi * (12 * down + shift[1]))
    shade: Floats = np.clip(0.25 + 0.45 * (studs > 1.0), 0, 1) + 0.1 * clouds(side, random, 40)
    return shade


PRODUCTS = (
    Product("oak", "Oak board", (96, 60, 32), (186, 138, 88), _wood),
    Product("steel", "Brushed steel", (120, 124, 130), (206, 210, 214), _brushed),
    Product("denim", "Denim cloth", (30, 44, 84), (92, 116, 168), _woven),
    Product("leather", "Red leather", (70, 16, 16), (170, 60, 48), _leather),
    Product("tile", "White tile", (120, 116, 108), (236, 236, 230), _tiles),
    Product("carton", "Corrugated carton", (150, 112, 70), (214, 178, 130), _carton),
    Product("marble", "Green marble", (24, 60, 44), (120, 176, 146), _marble),
    Product("rubber", "Studded rubber", (22, 22, 24), (96, 96, 100), _rubber),
)
