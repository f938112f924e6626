"""When an index has drifted away from its training."""

from __future__ import annotations

from datetime import UTC, date, datetime

import pytest

from include.faiss_index.drift import DriftLimits, drift
from include.faiss_index.manifest import Manifest, Origin, Quality, RowCounts, TrainingFigures
from include.faiss_index.recipe import choose

NOW = datetime(2026, 11, 21, tzinfo=UTC)
QUALITY = Quality(
    recall_at_10=0.97,
    queries=256,
    queries_left_out=0,
    self_recall=1,
    self_samples=256,
    imbalance=1.2,
    quantisation_error=0.5,
)


def manifest(ntotal: int = 50_000, **changes: float | None) -> Manifest:
    return Manifest(
        version="song__20261121t000000000-0",
        parent=None,
        made="increment",
        made_at=NOW,
        origin=Origin(key="k", day=date(2026, 11, 21)),
        recipe=choose(50_000, 32, memory_budget_bytes=1 << 30),
        ntotal=ntotal,
        counts=RowCounts(before=0, deleted=0, updated=0, new=ntotal),
        training=TrainingFigures(at=NOW, rows=40_000, table_rows=50_000, quantisation_error=0.5),
        quality=QUALITY.model_copy(update=changes),
        quality_at_build=QUALITY,
        files={},
        faiss_version="1",
        seconds={},
    )


def test_an_index_as_it_was_built_has_not_drifted() -> None:
    found = drift(manifest())
    assert (found.alerts, found.warnings, found.rebuild) == ((), (), False)
    assert found.figures["growth"] == 1


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"recall_at_10": 0.94}, "recall@10 has fallen by 0.030"),
        ({"imbalance": 2.5}, "lists are 2.08 times as unequal"),
        ({"ntotal": 200_001}, "the index has 4.0 times the rows"),
        ({"queries": 100}, "only 0.39 of the sample queries"),
    ],
)
def test_what_went_too_far_is_an_alert(changes: dict[str, float], words: str) -> None:
    found = drift(manifest(**changes))  # type: ignore[arg-type]
    assert found.rebuild
    assert len(found.alerts) == 1
    assert words in found.alerts[0]


def test_new_rows_far_from_their_lists_are_a_warning_alone() -> None:
    found = drift(manifest(quantisation_error=0.65))
    assert not found.rebuild
    assert "new rows lie 1.30 times as far" in found.warnings[0]


def test_limits_can_be_set() -> None:
    assert drift(manifest(recall_at_10=0.96), DriftLimits(recall_drop=0.005)).rebuild


def test_what_was_not_measured_is_no_drift() -> None:
    found = drift(manifest(recall_at_10=None, imbalance=None, quantisation_error=None))
    assert not found.rebuild
    assert found.figures["recall_drop"] is None
