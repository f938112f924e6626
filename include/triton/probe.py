"""The live check of a loaded model: its vectors are those of the manifest."""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from include.errors import GateFailed
from include.model_export.manifest import Manifest
from include.triton.config_pbtxt import Precision
from include.triton.control import ServerControl
from include.triton.tensors import EMBEDDING, SPARSE_INDICES, SPARSE_WEIGHTS, Array, SparseRow, encode, sparse_rows
from include.triton.version_plan import MAX_BATCH_SIZE

# Against the source model in float32. What the export's gate measured may be nearer: a server joins other requests.
MIN_COSINE: dict[Precision, float] = {"fp32": 0.9999, "bf16": 0.999, "fp16": 0.999, "int8": 0.95}
# Of a lexical weight, relative to the largest of all.
MAX_WEIGHT_ERROR: dict[Precision, float] = {"fp32": 1e-3, "bf16": 0.05, "fp16": 0.02, "int8": 0.3}
MAX_NORM_ERROR = 1e-3


@dataclass(frozen=True)
class ProbeFigures:
    """What the check measured, the worst over all servers."""

    texts: int  # or images, or sounds
    min_cosine: float
    max_norm_error: float
    seconds: float


@dataclass(frozen=True)
class _Answer:
    """What one server made of some of the reference inputs."""

    url: str
    vectors: NDArray[np.float32]
    weights: list[SparseRow]


def probe(server: ServerControl, model: str, manifest: Manifest, *, folder: Path, precision: Precision) -> ProbeFigures:
    """Embed the manifest's reference inputs on every server, all together and the first one alone.

    ``folder`` is the version's, where reference images and sounds lie.

    Raises:
        GateFailed: naming the check, the server and the figure.
        ServiceUnavailable: a server does not answer.
    """
    began = time.monotonic()
    items = reference_items(manifest, folder)
    figures = [
        _compare(answer, manifest, precision)
        for part in (items, items[:1])
        for answer in _ask(server, model, manifest, part)
    ]
    return ProbeFigures(
        texts=len(items),
        min_cosine=min(cosine for cosine, _ in figures),
        max_norm_error=max(error for _, error in figures),
        seconds=round(time.monotonic() - began, 3),
    )


def reference_items(manifest: Manifest, folder: Path) -> list[Any]:
    """The texts, encoded images or samples whose vectors the manifest holds."""
    if manifest.medium == "text":
        return list(manifest.reference.texts)
    paths = [folder / name for name in manifest.reference.files]
    return [path.read_bytes() if manifest.medium == "image" else np.load(path) for path in paths]


def _ask(server: ServerControl, model: str, manifest: Manifest, items: Sequence[Any]) -> list[_Answer]:
    size = MAX_BATCH_SIZE[manifest.medium]
    starts = range(0, len(items), size)
    parts = [server.infer(model, encode(manifest.medium, items[start : start + size])) for start in starts]
    return [_joined(url, answers) for url, answers in zip(server.urls, zip(*parts, strict=True), strict=True)]


def _joined(url: str, parts: Sequence[Mapping[str, Array]]) -> _Answer:
    found = [sparse_rows(part[SPARSE_INDICES], part[SPARSE_WEIGHTS]) for part in parts if SPARSE_INDICES in part]
    vectors = np.concatenate([part[EMBEDDING] for part in parts])
    return _Answer(url, vectors, [row for rows in found for row in rows])


def _compare(answer: _Answer, manifest: Manifest, precision: Precision) -> tuple[float, float]:
    """The smallest cosine and the largest norm error of one answer."""
    vectors, url = answer.vectors, answer.url
    expected = np.array(manifest.reference.vectors[: len(vectors)], np.float64)
    if vectors.shape != expected.shape:
        msg = f"check 'dimension' at {url}: vectors are {vectors.shape}, the manifest's are {expected.shape}."
        raise GateFailed(msg)
    if not np.isfinite(vectors).all():
        msg = f"check 'finite' at {url}: some values are not finite."
        raise GateFailed(msg)
    norms = np.linalg.norm(vectors.astype(np.float64), axis=1)
    error = float(np.abs(norms - 1.0).max()) if manifest.normalize else 0.0
    if error > MAX_NORM_ERROR:
        msg = f"check 'norm' at {url}: largest |norm - 1| is {error:.5f}, allowed is {MAX_NORM_ERROR}."
        raise GateFailed(msg)
    cosines = (vectors * expected).sum(1) / (norms * np.linalg.norm(expected, axis=1))
    worst = int(cosines.argmin())
    if not cosines[worst] >= MIN_COSINE[precision]:
        msg = (
            f"check 'cosine to the reference vectors' at {url}: smallest is {cosines[worst]:.6f} for "
            f"{_named(manifest, worst)}, allowed in {precision} is {MIN_COSINE[precision]}."
        )
        raise GateFailed(msg)
    if manifest.kind == "text_sparse":
        _compare_weights(answer, manifest, MAX_WEIGHT_ERROR[precision])
    return float(cosines[worst]), error


def _compare_weights(answer: _Answer, manifest: Manifest, allowed: float) -> None:
    expected = manifest.reference.weights[: len(answer.vectors)]
    largest = max((weight for row in expected for weight in row.values()), default=1.0)
    for number, (found, wanted) in enumerate(zip(answer.weights, expected, strict=True)):
        errors = {token: abs(found.get(token, 0.0) - wanted.get(token, 0.0)) for token in found.keys() | wanted.keys()}
        error = max(errors.values(), default=0.0) / largest
        if not error <= allowed:
            msg = (
                f"check 'lexical weights' at {answer.url}: largest relative error is {error:.5f} for "
                f"{_named(manifest, number)}, allowed is {allowed}."
            )
            raise GateFailed(msg)


def _named(manifest: Manifest, row: int) -> str:
    return repr(manifest.reference.texts[row][:60]) if manifest.reference.texts else manifest.reference.files[row]
