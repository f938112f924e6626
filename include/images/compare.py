"""V1 and V2 side by side: how many neighbours they share, and how far their scores differ."""

from __future__ import annotations

from dataclasses import dataclass
from statistics import fmean
from typing import Any

import numpy as np

from include.errors import InputError
from include.images.folders import index_folder
from include.images.index import ImageIndex, SimilarImage, Vector
from include.images.parameters import ImageCompareParameters
from include.images.sources import read_embeddings
from include.settings import Settings


@dataclass(frozen=True)
class Compared:
    """One query, answered by both."""

    query: str  # the name of its file
    overlap: float  # share of the neighbours of V2 that V1 names, too
    score_difference: float | None  # mean of |V2 − V1| over the neighbours that both name; None: there are none
    same_first: bool
    v1: tuple[str, ...]  # names of files, the nearest first
    v2: tuple[str, ...]

    @classmethod
    def of(cls, query: str, v1: dict[str, float], v2: dict[str, float]) -> Compared:
        """From name → score of each, the nearest first."""
        shared = [name for name in v2 if name in v1]
        return cls(
            query=query,
            overlap=len(shared) / max(1, len(v2)),
            score_difference=fmean(abs(v2[name] - v1[name]) for name in shared) if shared else None,
            same_first=next(iter(v1), None) == next(iter(v2), None),
            v1=tuple(v1),
            v2=tuple(v2),
        )


def compare(parameters: ImageCompareParameters, settings: Settings) -> tuple[list[Compared], dict[str, Any]]:
    """Ask both with images of V2; return each query's comparison, and the means. A query is no neighbour of its own.

    Raises:
        InputError: one of the two is not built, or they were built with different models.
    """
    first = ImageIndex.open(parameters.type, settings, edition="v1")
    second = ImageIndex.open(parameters.type, settings)
    if first.model.fingerprint != second.model.fingerprint:
        msg = (
            f"V1 was built with {first.model.name} ({first.model.fingerprint[:12]}), V2 with {second.model.name} "
            f"({second.model.fingerprint[:12]}): their scores cannot be compared. Build V1 again."
        )
        raise InputError(msg)
    count = min(parameters.queries, second.size)
    chosen = np.sort(np.random.default_rng(0).choice(second.size, count, replace=False))
    vectors = _vectors(parameters.type, second, settings)
    rows = []
    for row in chosen.tolist():
        name = _name(second.image(int(second.ids[row])))
        answers = [_neighbours(index, vectors[row], name, parameters.top_k) for index in (first, second)]
        rows.append(Compared.of(name, *answers))
    return rows, _means(rows, parameters, first, second)


def _vectors(image_type: str, index: ImageIndex, settings: Settings) -> Any:
    """``[N, D]`` of the very version that is open, as they were before the index coded them."""
    return read_embeddings(index_folder(image_type, settings).versions / index.version)


def _neighbours(index: ImageIndex, vector: Vector, own: str, top_k: int) -> dict[str, float]:
    found = [(_name(image), image.similarity_score) for image in index.search(vector, top_k + 1)]
    return dict([pair for pair in found if pair[0] != own][:top_k])


def _name(image: SimilarImage) -> str:
    """What both know an image by: the name of its file."""
    return str(image.local_path or image.storage_url or image.image_id).rpartition("/")[2]


def _means(
    rows: list[Compared], parameters: ImageCompareParameters, first: ImageIndex, second: ImageIndex
) -> dict[str, Any]:
    differences = [row.score_difference for row in rows if row.score_difference is not None]
    return {
        "type": parameters.type,
        "queries": len(rows),
        "top_k": parameters.top_k,
        "overlap": round(fmean(row.overlap for row in rows), 4),
        "same_first": round(fmean(row.same_first for row in rows), 4),
        "score_difference": round(fmean(differences), 6) if differences else None,
        "v1": {"version": first.version, "images": first.size},
        "v2": {"version": second.version, "images": second.size},
    }
