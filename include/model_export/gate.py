"""The gate of an export: the graph is valid, its axes are dynamic, and its vectors are the source model's."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path

import numpy as np

from include.catalog.models import ModelSpec
from include.model_export.examples import Examples
from include.model_export.exported import ExportedModel
from include.model_export.floors import Floors, cosines, rank_agreement
from include.model_export.graph_check import check_graph, check_shapes, refused
from include.model_export.items import Encoded, Encoder, Item, batched
from include.model_export.manifest import MODEL, GateFigures, Preprocess

BATCH = 16


def open_export(folder: Path, spec: ModelSpec, *, pad_token_id: int, preprocess: Preprocess | None) -> ExportedModel:
    """Load the exported folder, once its graph is what was promised.

    Raises:
        GateFailed: it is not, or ONNX Runtime does not load it.
    """
    check_graph(folder / MODEL, spec)
    try:
        return ExportedModel(folder, spec, pad_token_id=pad_token_id, preprocess=preprocess)
    except Exception as error:  # ONNX Runtime has no common class for its own
        raise refused(spec, {"onnxruntime": f"the graph does not load: {error}"}) from error


def check(
    exported: ExportedModel,
    spec: ModelSpec,
    *,
    source: Encoder,
    reference: Encoded,
    examples: Examples,
    floors: Floors,
) -> GateFigures:
    """Accept the export, or say which checks failed and by how much.

    Every item is embedded alone and among others of other lengths, so that a mask or a padding that is not heeded
    shows; a long text alone. ``reference`` is the source model's answer to the items. Ranks are compared where the
    floors ask for that.

    Raises:
        GateFailed: naming each check that failed, its figure and what is allowed.
    """
    shapes, items, long = check_shapes(exported, spec), examples.items, examples.long
    answers = (batched(exported, items, BATCH), batched(exported, items, 1))
    if any(answer.vectors.shape != reference.vectors.shape for answer in answers):
        detail = f"vectors {answers[0].vectors.shape}, source model {reference.vectors.shape}"
        raise refused(spec, {"shape": detail})
    pairs = [(answer, reference) for answer in answers] + [(exported([text]), source([text])) for text in long]
    broken = sum(int((~np.isfinite(answer.vectors)).sum()) for answer, _ in pairs)
    if broken:
        raise refused(spec, {"finite": f"{broken} values are not finite"})
    found = np.concatenate([cosines(answer.vectors, wanted.vectors) for answer, wanted in pairs])
    figures = GateFigures(
        texts=len(items) + len(long),
        min_cosine=float(found.min()),
        mean_cosine=float(found.mean()),
        max_norm_error=max(_norm_error(answer) for answer, _ in pairs) if spec.normalize else 0.0,
        shapes=tuple(shapes),
        top10_overlap=_overlap(exported, source, examples.neighbours) if floors.top10_overlap else None,
        max_weight_error=max(_weight_error(*pair) for pair in pairs) if reference.weights else None,
        floors=asdict(floors),
    )
    worst = [*items, *items, *long][int(found.argmin())]
    if complaints := _complaints(figures, floors, _named(worst)):
        raise refused(spec, complaints)
    return figures


def _norm_error(answer: Encoded) -> float:
    return float(np.abs(np.linalg.norm(answer.vectors.astype(np.float64), axis=1) - 1.0).max())


def _overlap(exported: ExportedModel, source: Encoder, items: Sequence[Item]) -> float:
    return rank_agreement(batched(exported, items, BATCH).vectors, source(items).vectors)


def _weight_error(answer: Encoded, reference: Encoded) -> float:
    """The largest error of a lexical weight, relative to the largest weight of all; a missing one counts as 0."""
    largest = max((weight for row in reference.weights for weight in row.values()), default=1.0)
    errors = (
        abs(row.get(token, 0.0) - wanted.get(token, 0.0))
        for row, wanted in zip(answer.weights, reference.weights, strict=True)
        for token in row.keys() | wanted.keys()
    )
    return max(errors, default=0.0) / largest


def _complaints(figures: GateFigures, floors: Floors, worst: str) -> dict[str, str]:
    """Check → what is wrong, for each that failed. A figure that is not a number fails."""
    found: dict[str, str] = {}
    if not figures.max_norm_error <= floors.max_norm_error:
        found["norm"] = f"largest |norm - 1| is {figures.max_norm_error:.6f}, allowed is {floors.max_norm_error}"
    if not figures.min_cosine >= floors.min_cosine:
        found["cosine to the source model"] = (
            f"smallest is {figures.min_cosine:.6f} for {worst}, allowed is {floors.min_cosine}"
        )
    if not figures.mean_cosine >= floors.mean_cosine:
        found["mean cosine"] = f"it is {figures.mean_cosine:.6f}, allowed is {floors.mean_cosine}"
    if figures.top10_overlap is not None and not figures.top10_overlap >= floors.top10_overlap:
        found["rank agreement"] = (
            f"of the 10 nearest {figures.top10_overlap:.3f} are the source model's, allowed is {floors.top10_overlap}"
        )
    if figures.max_weight_error is not None and not figures.max_weight_error <= floors.max_weight_error:
        found["lexical weights"] = (
            f"largest relative error is {figures.max_weight_error:.6f}, allowed is {floors.max_weight_error}"
        )
    return found


def _named(item: Item) -> str:
    return repr(item[:60]) if isinstance(item, str) else f"an input of {len(item):,} bytes or samples"
