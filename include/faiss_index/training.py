"""Training: from a sample of rows to an empty index that can be filled, with sample queries held out."""

from __future__ import annotations

import json
import time
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Self
from zipfile import BadZipFile

import numpy as np
from pydantic import ValidationError

from include.errors import ContractError, InputError
from include.faiss_index.engine import Index, library, quantisation_error, threads
from include.faiss_index.ids import check_unique
from include.faiss_index.manifest import TrainingFigures
from include.faiss_index.recipe import HELD_OUT, Recipe
from include.faiss_index.rows import unit
from include.faiss_index.storage import storage_faults
from include.generations.files import replacing
from include.generations.vectors import VectorRows

COARSE_ROUNDS = 10
# Training points for each of PQ's centroids. A quarter halves the training; a refine step makes up for it.
CODE_POINTS = {"ivf_pq": 256, "ivf_pq_refine": 64}
FILE = "trained.npz"


@dataclass(frozen=True)
class Trained:
    """What is needed to build an index, without rows."""

    recipe: Recipe
    index: bytes  # of FAISS, empty
    queries: VectorRows  # unit length; kept out of the training
    figures: TrainingFigures
    seconds: float

    def empty_index(self) -> Index:
        """A new index to fill."""
        faiss = library()
        return faiss.deserialize_index(np.frombuffer(self.index, np.uint8))

    def save(self, folder: Path) -> Path:
        """Replace the training kept in ``folder``; return its file."""
        path = folder / FILE
        about = {"recipe": self.recipe.model_dump(), "figures": self.figures.model_dump(mode="json")}
        with storage_faults(path), replacing(path) as temporary, temporary.open("wb") as file:
            np.savez(
                file,
                index=np.frombuffer(self.index, np.uint8),
                query_ids=self.queries.ids,
                queries=self.queries.vectors,
                about=np.frombuffer(json.dumps({**about, "seconds": self.seconds}).encode(), np.uint8),
            )
        return path

    @classmethod
    def load(cls, folder: Path) -> Self:
        """The training kept in ``folder``.

        Raises:
            InputError: there is none.
            ContractError: it is damaged.
        """
        path = folder / FILE
        if not path.exists():
            msg = f"There is no trained index in {folder}. Run faiss_train first, or faiss_rebuild, which trains too."
            raise InputError(msg)
        try:
            with storage_faults(path), np.load(path) as file:
                about: dict[str, Any] = json.loads(file["about"].tobytes())
                return cls(
                    recipe=Recipe(**about["recipe"]),
                    index=file["index"].tobytes(),
                    queries=VectorRows(file["query_ids"], file["queries"]),
                    figures=TrainingFigures(**about["figures"]),
                    seconds=about["seconds"],
                )
        except (ValueError, KeyError, EOFError, BadZipFile, ValidationError) as error:
            msg = f"{path} is damaged ({error}). Run faiss_train again."
            raise ContractError(msg) from error


def train(sample: VectorRows, recipe: Recipe, *, thread_count: int = 0, seed: int = 0) -> Trained:
    """Train on ``sample``, of which up to 256 rows are held out as queries.

    Args:
        sample: ``recipe.sample_rows`` rows drawn from the table, or all rows of a smaller one; each id once.
        recipe: What to make.
        thread_count: Of FAISS; 0 takes all cores.
        seed: Of the choice of queries, and of the clustering.

    Raises:
        ContractError: rows are too few for the recipe, cannot be indexed, or come twice.
    """
    started = time.perf_counter()
    rows = unit(sample, recipe.dimension)
    check_unique([rows.ids], "The training sample")
    order = np.random.default_rng(seed).permutation(len(rows.ids))
    held = min(HELD_OUT, len(order) if recipe.kind == "flat" else len(order) // 10)
    queries = VectorRows(rows.ids[order[:held]], rows.vectors[order[:held]])
    points = rows.vectors[order[held : held + recipe.training_rows]]
    with threads(thread_count):
        index = _trained(points, recipe, seed)
        error = quantisation_error(index, queries.vectors)
    figures = TrainingFigures(at=datetime.now(UTC), rows=len(points), table_rows=recipe.rows, quantisation_error=error)
    data = library().serialize_index(index).tobytes()
    return Trained(recipe, data, queries, figures, round(time.perf_counter() - started, 3))


def _trained(points: np.ndarray, recipe: Recipe, seed: int) -> Index:
    faiss = library()
    index = faiss.index_factory(recipe.dimension, recipe.key, faiss.METRIC_INNER_PRODUCT)
    if recipe.kind == "flat":
        return index
    if len(points) < recipe.nlist:
        msg = f"{len(points)} rows cannot train {recipe.nlist} lists: draw {recipe.sample_rows}, or choose fewer lists."
        raise ContractError(msg)
    index.cp.spherical = True  # centroids of unit length: the nearest by cosine is the nearest by distance
    index.cp.niter, index.cp.seed = COARSE_ROUNDS, seed + 1
    index.cp.min_points_per_centroid = 1  # the recipe decides how many; FAISS would only print
    if recipe.m:
        index.pq.cp.seed = seed + 1
        index.pq.cp.max_points_per_centroid = CODE_POINTS[recipe.kind]
        index.pq.cp.min_points_per_centroid = 1
    index.train(points)
    return index
