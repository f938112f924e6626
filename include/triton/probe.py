"""The live check of a loaded model: its vectors are those of the manifest."""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from include.errors import GateFailed
from include.model_export.manifest import Manifest
from include.triton.config_pbtxt import Precision
from include.triton.control import ServerControl

MIN_COSINE: dict[Precision, float] = {"fp32": 0.9999, "bf16": 0.999}
MAX_NORM_ERROR = 1e-3


@dataclass(frozen=True)
class ProbeFigures:
    """What the check measured, the worst over all servers."""

    texts: int
    min_cosine: float
    max_norm_error: float
    seconds: float


def probe(server: ServerControl, model: str, manifest: Manifest, *, precision: Precision) -> ProbeFigures:
    """Embed the manifest's reference texts on every server, one by one and as one request.

    Raises:
        GateFailed: naming the check, the server and the figure.
        ServiceUnavailable: a server does not answer.
    """
    began = time.monotonic()
    texts = manifest.reference.texts
    expected = np.array(manifest.reference.vectors, np.float64)
    answers = zip(server.urls, server.embed(model, texts), server.embed(model, texts[:1]), strict=True)
    figures = []
    for url, together, alone in answers:
        vectors = np.concatenate([together, alone])
        figures.append(_compare(vectors, np.concatenate([expected, expected[:1]]), manifest, precision, url))
    return ProbeFigures(
        texts=len(texts),
        min_cosine=min(cosine for cosine, _ in figures),
        max_norm_error=max(error for _, error in figures),
        seconds=round(time.monotonic() - began, 3),
    )


def _compare(
    vectors: NDArray[np.float32], expected: NDArray[np.float64], manifest: Manifest, precision: Precision, url: str
) -> tuple[float, float]:
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
        text = _texts(manifest.reference.texts, worst)
        msg = (
            f"check 'cosine to the reference vectors' at {url}: smallest is {cosines[worst]:.6f} for {text!r}, "
            f"allowed in {precision} is {MIN_COSINE[precision]}."
        )
        raise GateFailed(msg)
    return float(cosines[worst]), error


def _texts(texts: Sequence[str], row: int) -> str:
    return texts[row % len(texts)][:60]
