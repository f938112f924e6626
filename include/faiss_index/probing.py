"""How many lists a search looks into: as many as still raise recall@10 on the sample queries."""

from __future__ import annotations

import logging

from include.faiss_index.opened import OpenIndex
from include.faiss_index.recipe import Recipe
from include.faiss_index.truth import TOP_K, Truth

log = logging.getLogger(__name__)

LEAST_GAIN = 0.01  # recall@10 that twice the lists must bring
FIRST = 4
UNMEASURED = 16  # where there are too few rows to measure


def settled(recipe: Recipe, opened: OpenIndex, truth: Truth) -> Recipe:
    """``recipe`` with its ``nprobe``, written into the index too, so that all who open the file search alike."""
    if recipe.kind == "flat":
        return recipe
    nprobe = recipe.nprobe or _measured(opened, truth, recipe.nlist)
    opened.index.nprobe = nprobe
    return recipe.model_copy(update={"nprobe": nprobe})


def _measured(opened: OpenIndex, truth: Truth, nlist: int) -> int:
    """Doubled while that brings ``LEAST_GAIN``."""
    nprobe = min(FIRST, nlist)
    recall = _recall(opened, truth, nprobe)
    if recall is None:
        return min(UNMEASURED, nlist)
    while nprobe < nlist:
        wider = min(2 * nprobe, nlist)
        better = _recall(opened, truth, wider)
        log.info("recall@10 %.4f at nprobe %d, %.4f at %d", recall, nprobe, better, wider)
        if better is None or better - recall < LEAST_GAIN:
            break
        nprobe, recall = wider, better
    return nprobe


def _recall(opened: OpenIndex, truth: Truth, nprobe: int) -> float | None:
    opened.index.nprobe = nprobe
    return truth.recall(opened.search(truth.queries, TOP_K + 1)[1]).value
