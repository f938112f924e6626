"""Whether the rows have moved away from what the index was trained on.

The limits are a suggestion. On vectors whose distribution was shifted step by step, retraining did not raise recall by
itself (docs/faiss.md); what it cures is measured here directly: recall that has fallen, and lists that have grown
unequal, which makes searches slow.
"""

from __future__ import annotations

from dataclasses import dataclass

from include.faiss_index.manifest import Manifest


@dataclass(frozen=True)
class DriftLimits:
    """Beyond which an alert is raised; the last one only warns."""

    recall_drop: float = 0.02  # below recall@10 at the build
    imbalance_ratio: float = 2.0  # to the build's
    growth: float = 4.0  # rows, to the table's at the training
    queries_left: float = 0.5  # share of the sample queries that can still be measured
    error_ratio: float = 1.2  # quantisation error of new rows, to that of the sample queries at the training


@dataclass(frozen=True)
class Drift:
    """What was found. An alert says: run faiss_rebuild."""

    alerts: tuple[str, ...]
    warnings: tuple[str, ...]
    figures: dict[str, float | None]

    @property
    def rebuild(self) -> bool:
        """Whether a rebuild is due."""
        return bool(self.alerts)


def drift(manifest: Manifest, limits: DriftLimits | None = None) -> Drift:
    """Compare a version with the build that it goes back to."""
    bounds = limits or DriftLimits()
    now, then = manifest.quality, manifest.quality_at_build
    drop = None
    if then.recall_at_10 is not None and now.recall_at_10 is not None:
        drop = then.recall_at_10 - now.recall_at_10
    imbalance = _ratio(now.imbalance, then.imbalance)
    growth = manifest.ntotal / manifest.training.table_rows if manifest.recipe.kind != "flat" else None
    queries = now.queries / then.queries if then.queries else None
    error = _ratio(now.quantisation_error, manifest.training.quantisation_error)
    alerts = (
        _over(drop, bounds.recall_drop, "recall@10 has fallen by {:.3f} since the build (limit {:g})"),
        _over(imbalance, bounds.imbalance_ratio, "lists are {:.2f} times as unequal as at the build (limit {:g})"),
        _over(growth, bounds.growth, "the index has {:.1f} times the rows it was trained for (limit {:g})"),
        _under(queries, bounds.queries_left, "only {:.2f} of the sample queries can still be measured (limit {:g})"),
    )
    warning = _over(error, bounds.error_ratio, "new rows lie {:.2f} times as far from their lists (limit {:g})")
    figures = {
        "recall_at_10": now.recall_at_10,
        "recall_drop": drop,
        "imbalance_ratio": imbalance,
        "growth": growth,
        "queries_left": queries,
        "error_ratio": error,
    }
    rounded = {name: None if value is None else round(value, 4) for name, value in figures.items()}
    return Drift(tuple(filter(None, alerts)), tuple(filter(None, [warning])), rounded)


def _ratio(now: float | None, then: float | None) -> float | None:
    return now / then if now is not None and then else None


def _over(value: float | None, limit: float, words: str) -> str | None:
    return words.format(value, limit) if value is not None and value > limit else None


def _under(value: float | None, limit: float, words: str) -> str | None:
    return words.format(value, limit) if value is not None and value < limit else None
