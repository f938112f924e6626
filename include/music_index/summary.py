"""What is told of a version: small enough that seven of them travel between tasks."""

from __future__ import annotations

import logging
from typing import Any

from include.faiss_index.drift import drift
from include.faiss_index.manifest import Manifest
from include.faiss_index.repair import Repair
from include.faiss_index.version import Version
from include.generations.counts import Counts
from include.music_index.set_aside import SetAside

log = logging.getLogger(__name__)

PUBLISHED, UNCHANGED = "published", "unchanged"
REASON_LETTERS = 200


def summary(
    kind: str, version: Version, outcome: str, counts: Counts, aside: SetAside, *, repaired: Repair | None = None
) -> dict[str, Any]:
    """The figures of a run that ended with ``version`` served; drift is looked for and told."""
    manifest = version.manifest
    found: dict[str, Any] = {
        "type": kind,
        "outcome": outcome,
        "version": version.name,
        **shape(manifest),
        "counts": counts.as_dict(),
        "bad": aside.figures(),
        "drift": told_drift(kind, manifest),
    }
    if repaired:
        found["repaired"] = {"damaged": list(repaired.damaged), "reason": repaired.reason[:REASON_LETTERS]}
    return found


def shape(manifest: Manifest) -> dict[str, Any]:
    """What kind of index it is, how many rows it has, up to when, and how good it is."""
    quality, origin = manifest.quality, manifest.origin
    return {
        "kind": manifest.recipe.kind,
        "rows": manifest.ntotal,
        "watermark": origin.watermark.isoformat() if origin.watermark else None,
        "recall_at_10": _rounded(quality.recall_at_10),
        "self_recall": _rounded(quality.self_recall),
        "imbalance": _rounded(quality.imbalance),
    }


def told_drift(kind: str, manifest: Manifest) -> dict[str, Any]:
    """How far the rows have moved from those of the training; an alert asks for a rebuild."""
    found = drift(manifest)
    for alert in found.alerts:
        log.warning("%s has drifted: %s. Run faiss_rebuild for it.", kind, alert)
    for warning in found.warnings:
        log.warning("%s: %s", kind, warning)
    return {"alerts": list(found.alerts), "warnings": list(found.warnings), "figures": found.figures}


def _rounded(value: float | None) -> float | None:
    return None if value is None else round(value, 4)
