"""The gate: a finished version is opened from disk again and searched before it is served."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from include.errors import GateFailed
from include.faiss_index.engine import Vectors, imbalance, quantisation_error, read_index, stored_ids
from include.faiss_index.ids import Ids
from include.faiss_index.manifest import INDEX, Quality, RowCounts
from include.faiss_index.opened import OpenIndex, read_ids
from include.faiss_index.recipe import RECALL_FLOORS, SELF_FLOORS, Recipe
from include.faiss_index.truth import TIE, TOP_K, Recall, Truth
from include.generations.vectors import VectorRows

SELF_SAMPLES = 64  # of the rows that came last, beside the sample queries
ENOUGH_QUERIES = 20  # to judge recall by


@dataclass(frozen=True)
class Floors:
    """What is demanded; ``None`` takes the floor of the kind."""

    recall_at_10: float | None = None
    self_recall: float | None = None


@dataclass(frozen=True)
class Written:
    """A version's files before they are served, and what they should hold."""

    folder: Path
    recipe: Recipe
    counts: RowCounts
    truth: Truth
    newest: VectorRows  # some of the rows that came last, of unit length


def verify(written: Written, floors: Floors) -> Quality:
    """Open the files and measure them.

    Raises:
        GateFailed: the rows do not add up, ids are doubled or differ from ``ids.npy``, too few sampled rows find
            themselves, or recall@10 is below its floor.
        ContractError: a file cannot be read.
    """
    index = read_index(written.folder / INDEX, mapped=written.recipe.kind != "flat")  # which FAISS cannot map
    opened = OpenIndex.of(index, read_ids(written.folder), written.recipe, written.folder)
    name = written.folder.name
    _check_rows(name, opened, written.counts)
    recall, self_recall, samples = _measure(opened, written)
    kind = written.recipe.kind
    self_floor = SELF_FLOORS[kind] if floors.self_recall is None else floors.self_recall
    if self_recall < self_floor:
        msg = f"{name}: {self_recall:.3f} of {samples} sampled rows find themselves, {self_floor} must. Not served."
        raise GateFailed(f"{msg} Train anew with faiss_rebuild, or choose another kind than {kind}.")
    floor = RECALL_FLOORS[kind] if floors.recall_at_10 is None else floors.recall_at_10
    if recall.value is not None and recall.queries >= ENOUGH_QUERIES and recall.value < floor:
        msg = f"{name}: recall@10 is {recall.value:.3f} over {recall.queries} queries, at least {floor} is asked for."
        raise GateFailed(f"{msg} Not served. Use a larger nprobe or another kind than {kind}, or set another floor.")
    return Quality(
        recall_at_10=recall.value,
        queries=recall.queries,
        queries_left_out=recall.left_out,
        self_recall=self_recall,
        self_samples=samples,
        imbalance=imbalance(opened.index),
        quantisation_error=quantisation_error(opened.index, written.newest.vectors),
    )


def _check_rows(name: str, opened: OpenIndex, counts: RowCounts) -> None:
    expected = counts.before - counts.deleted + counts.new
    if opened.index.ntotal != expected:
        msg = (
            f"{name} holds {opened.index.ntotal} rows, not the {expected} that it should: {counts.before} before, "
            f"{counts.deleted} deleted, {counts.new} new. Not served. This is a defect: please report it."
        )
        raise GateFailed(msg)
    ids = stored_ids(opened.index)
    doubled = int((ids[1:] == ids[:-1]).sum())
    if doubled or not np.array_equal(ids, opened.ids):
        msg = f"{name}: {doubled} ids are doubled; the index has {len(ids)}, its list {len(opened.ids)}. Not served."
        raise GateFailed(f"{msg} This is a defect: please report it.")


def _measure(opened: OpenIndex, written: Written) -> tuple[Recall, float, int]:
    """Recall@10 of the sample queries, and how many of them and of the newest rows find themselves."""
    truth, newest = written.truth, written.newest
    scores, found = opened.search(np.concatenate([truth.queries, newest.vectors]), TOP_K + 1)
    own = np.concatenate([truth.query_ids, newest.ids])
    sampled = np.concatenate([truth.unchanged, np.ones(len(newest.ids), np.bool_)])
    hits = found_themselves(scores, found, own)[sampled]
    share = float(hits.mean()) if len(hits) else 1.0
    return truth.recall(found[: len(truth.query_ids)]), share, len(hits)


def found_themselves(scores: Vectors, found: Ids, own: Ids) -> NDArray[np.bool_]:
    """``[Q]`` whether the first ten hold the row's own id; where all ten are equally near, it may be behind them."""
    first = found[:, :TOP_K]
    tied = (first[:, -1] >= 0) & (scores[:, TOP_K - 1] >= scores[:, 0] - TIE)
    found_own: NDArray[np.bool_] = (first == own[:, None]).any(axis=1)
    return found_own | tied
