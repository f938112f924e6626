"""Test data: the same seed gives the same life of a table."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import numpy as np
import pytest

from include.catalog.index_types import index_type
from include.errors import InputError
from include.mysql.decoding import decode
from include.mysql.seed_plan import MOST_DAYS, Row, SeedPlan

START = datetime(2026, 1, 1, 7, 58, tzinfo=UTC)


def plan(name: str = "song", rows: int = 1000, seed: int = 0) -> SeedPlan:
    return SeedPlan(index_type(name), rows, START, seed, dimension=16)


def test_the_same_seed_gives_the_same_rows_and_another_seed_or_table_gives_others() -> None:
    assert plan().first_load(0, 500) == plan().first_load(0, 500)
    assert plan().day(2) == plan().day(2)
    assert plan().first_load(0, 500) != plan(seed=1).first_load(0, 500)
    assert [row.vector for row in plan().day(1).rows] != [row.vector for row in plan("artist").day(1).rows]


def test_ids_ascend_with_gaps_through_the_load_and_the_days() -> None:
    ids = [row.id for row in plan().first_load(0, 1000)]
    new = [row.id for row in plan().day(1).rows if row.id > ids[-1]]
    assert (np.diff(ids) > 0).all()
    assert (np.diff(ids) > 1).any()
    assert new


def test_a_late_row_has_the_time_and_an_id_of_the_day_before() -> None:
    first, second = plan().day(1), plan().day(2)
    late = [row for row in second.rows if row.updated < START + timedelta(days=1)]
    assert len(late) == second.late == 2
    assert max(row.id for row in late) < max(row.id for row in first.rows)
    assert {row.id for row in late}.isdisjoint(row.id for row in first.rows)


def test_every_day_touches_rows_that_no_other_day_touches() -> None:
    touched: list[int] = []
    for number in range(1, 6):
        day = plan().day(number)
        touched += [deletion.id for deletion in day.soft_deletions] + day.hard_deletions
        touched += [row.id for row in day.rows]
    assert len(touched) == len(set(touched))


def test_bad_rows_are_of_every_kind_and_counted() -> None:
    day = plan().day(1)
    _, bad = decode([(row.id, row.vector) for row in day.rows], 16, "<f4", "t")
    assert {found.reason for found in bad} == {"null", "wrong length", "not finite", "zero norm"}
    assert len(bad) == day.bad


def test_vectors_are_of_unit_norm_in_clusters() -> None:
    rows = [row for row in plan(rows=2000).first_load(0, 1000) if row.vector is not None]
    good, _ = decode([(row.id, row.vector) for row in rows], 16, "<f4", "t")
    np.testing.assert_allclose(np.linalg.norm(good.vectors, axis=1), 1, atol=1e-5)
    nearest = np.sort(good.vectors @ good.vectors.T, axis=1)[:, -2]
    assert np.median(nearest) > 0.7


def test_windows_over_lyrics_share_a_song() -> None:
    def songs(rows: list[Row]) -> int:
        return len({row.song for row in rows})

    assert songs(plan("lyrics_slide").first_load(0, 900)) == 300
    assert songs(plan("song").first_load(0, 900)) == 900


def test_a_day_that_the_table_is_too_small_for_is_refused() -> None:
    with pytest.raises(InputError, match="There is no day 6 for 200 rows: give 1 to 5"):
        plan(rows=200).day(6)
    with pytest.raises(InputError, match="There is no day 0"):
        plan().day(0)
    assert plan(rows=100_000).day(MOST_DAYS).rows
