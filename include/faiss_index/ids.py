"""Sets of ids as ascending arrays, each id once."""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np
from numpy.typing import NDArray

from include.errors import ContractError

Ids = NDArray[np.int64]
NONE: Ids = np.empty(0, np.int64)


def places(wanted: Ids, ascending: Ids) -> tuple[NDArray[np.bool_], NDArray[np.int64]]:
    """``[N]`` which of ``wanted`` are in ``ascending``, and at which position."""
    place = np.searchsorted(ascending, wanted)
    inside = place < len(ascending)
    there = np.zeros(len(wanted), np.bool_)
    there[inside] = ascending[place[inside]] == wanted[inside]
    return there, place


def without(ascending: Ids, gone: Ids) -> Ids:
    """``ascending`` less ``gone``, which may be in any order and hold others."""
    there, place = places(np.unique(gone), ascending)
    left: Ids = np.delete(ascending, place[there])
    return left


def united(ascending: Ids, new: Ids) -> Ids:
    """Both; ``new`` is ascending too."""
    there, place = places(new, ascending)
    both: Ids = np.insert(ascending, place[~there], new[~there])
    return both


def check_unique(parts: Iterable[Ids], what: str) -> Ids:
    """All of ``parts`` in one ascending array.

    Raises:
        ContractError: an id comes twice. The engine would take it, and find both for ever.
    """
    every = np.sort(np.concatenate([NONE, *parts]))
    twice = every[1:][every[1:] == every[:-1]]
    if len(twice):
        msg = f"{what}: id {int(twice[0])} comes more than once ({len(np.unique(twice))} ids do). Give each row once."
        raise ContractError(msg)
    return every
