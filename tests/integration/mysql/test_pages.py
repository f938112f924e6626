"""Reading a table: every live row once, whatever its ids look like."""

from __future__ import annotations

import tracemalloc
from collections.abc import Iterable
from dataclasses import replace

import numpy as np
import pytest

from include.errors import ContractError, InputError
from include.mysql import id_scan
from include.mysql.embedding_table import Page
from tests.integration.mysql.conftest import KIND, D, Table, day, naive, vector

GAPPED = [1, 2, 3, 8, 9, 70, 71, 72, 73, 74, 75, 76, 1000, 2**40, 2**40 + 1, 2**62]


def ids(pages: Iterable[Page]) -> list[int]:
    return [int(number) for page in pages for number in page.rows.ids]


def test_every_live_row_comes_once_by_ascending_id_with_its_own_vector(table: Table) -> None:
    table.add(reversed(GAPPED))
    table.set(9, deleted_at=naive(day(0)))
    with table.open() as opened:
        pages = list(opened.pages())
    assert ids(pages) == [number for number in GAPPED if number != 9]
    assert [page.read for page in pages] == [7, 7, 1]
    assert [page.last_id for page in pages] == [72, 2**40 + 1, 2**62]
    for page in pages:
        np.testing.assert_array_equal(page.rows.vectors[:, 0], page.rows.ids.astype(np.float32))
        assert page.rows.vectors.shape[1] == D


@pytest.mark.parametrize("count", [0, 6, 7, 8, 14])
def test_the_edge_of_a_page_loses_nothing(table: Table, count: int) -> None:
    table.add(range(5, 5 + count))
    with table.open() as opened:
        assert ids(opened.pages()) == opened.live_ids().tolist() == list(range(5, 5 + count))
        assert ids(opened.pages(after=9)) == list(range(10, 5 + count))


def test_rows_of_later_than_the_run_are_not_its_own_and_those_that_do_not_say_when_are_old(table: Table) -> None:
    table.database.tell(f"ALTER TABLE {KIND.table} MODIFY updated_at DATETIME(3) NULL")
    table.add([1], updated_at=naive(day(0)))
    table.add([2], updated_at=naive(day(1)))
    table.add([3], updated_at=None)
    with table.open() as opened:
        assert ids(opened.pages(day(1))) == opened.live_ids(day(1)).tolist() == [1, 3]
        assert ids(opened.pages(day(1.001))) == [1, 2, 3]
        assert ids(opened.changed(day(0), day(1))) == [1]


def test_bad_rows_are_set_aside_each_with_its_reason(table: Table) -> None:
    table.add(range(1, 10))
    table.set(2, embedding=None)
    table.set(4, embedding=vector(4)[:-4])
    table.set(5, embedding=np.full(D, np.nan, "<f4").tobytes())
    table.set(9, embedding=bytes(4 * D))
    with table.open() as opened:
        pages = list(opened.pages())
    assert ids(pages) == [1, 3, 6, 7, 8]
    assert {bad.id: bad.reason for page in pages for bad in page.bad} == {
        2: "null",
        4: "wrong length",
        5: "not finite",
        9: "zero norm",
    }
    assert sum(page.read for page in pages) == 9


def test_changed_rows_are_those_of_the_window_that_still_live(table: Table) -> None:
    table.add(range(1, 21), updated_at=naive(day(0)))
    table.add(range(21, 31), updated_at=naive(day(1)))
    table.set(3, updated_at=naive(day(1.5)), embedding=vector(33))
    table.set(22, deleted_at=naive(day(1.6)))
    table.set(23, updated_at=naive(day(2)))  # of the next window
    with table.open() as opened:
        pages = list(opened.changed(day(1), day(2)))
    assert ids(pages) == [3, 21, 24, 25, 26, 27, 28, 29, 30]
    assert pages[0].rows.vectors[0, 0] == 33


def test_a_late_commit_is_in_no_later_window_but_among_the_ids(table: Table) -> None:
    table.add([1, 2, 9], updated_at=naive(day(1.5)))
    with table.open() as opened:
        known = set(opened.live_ids(day(2)).tolist())
        table.add([7], updated_at=naive(day(1.2)))
        assert ids(opened.changed(day(2), day(3))) == []
        assert set(opened.live_ids(day(3)).tolist()) - known == {7}
        assert ids(opened.rows_of([7, 8, 9])) == [7, 9]


def test_ids_of_many_blocks_are_those_of_the_rows(table: Table, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(id_scan, "BLOCK", 5)
    table.add(GAPPED)
    with table.open() as opened:
        found = opened.live_ids()
    assert found.tolist() == GAPPED
    assert found.dtype == np.int64


def test_ids_that_the_server_cut_are_found(table: Table, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(id_scan, "PREPARE", "SET SESSION group_concat_max_len = 10")
    table.add(range(100, 120))
    with (
        table.open() as opened,
        pytest.raises(ContractError, match=r"counted 20 ids up to 119 .* group_concat_max_len"),
    ):
        opened.live_ids()


def test_an_id_that_no_index_can_hold_is_told(table: Table) -> None:
    table.add([2**63])
    with table.open() as opened:
        for read in (opened.live_ids, lambda: list(opened.pages())):
            with pytest.raises(InputError, match=r"whole numbers below 2\^63.* found 9223372036854775808"):
                read()


def test_the_span_tells_how_far_the_live_rows_reach(table: Table) -> None:
    with table.open() as opened:
        empty = opened.span()
        assert (empty.rows, empty.first_id, empty.last_id, empty.last_change) == (0, None, None, None)
        table.add([4, 5, 90], updated_at=naive(day(1)))
        table.add([91], deleted_at=naive(day(2)), updated_at=naive(day(2)))
        span = opened.span()
    assert (span.rows, span.first_id, span.last_id, span.last_change) == (3, 4, 90, day(1))


def test_ids_of_songs_are_those_of_exactly_these_songs(table: Table) -> None:
    table.database.tell(f"ALTER TABLE {KIND.table} MODIFY song_id VARCHAR(32) COLLATE utf8mb4_general_ci")
    table.add(range(1, 21))
    table.set(2, song_id="S1")
    table.set(3, song_id="s1")
    table.set(4, deleted_at=naive(day(0)))
    with table.open() as opened:
        found = opened.ids_of_songs(["S1", "S4", "S9", "S9", "S77", "O'Neil", *(f"S{i}" for i in range(10, 20))])
    assert found == {"S1": [1, 2], "S9": [9], **{f"S{i}": [i] for i in range(10, 20)}}


def test_a_sample_is_of_good_live_rows_each_as_likely_as_any_other(table: Table) -> None:
    table.add(range(1, 401))
    table.set(7, embedding=None)
    table.set(8, deleted_at=naive(day(0)))
    table.add([500], updated_at=naive(day(5)))
    drawn = np.zeros(501, int)
    with table.open(mysql_page_rows=100) as opened:
        for seed in range(40):
            sample = opened.sample(100, seed=seed, until=day(1))
            assert len(set(sample.ids.tolist())) == 100
            np.testing.assert_array_equal(sample.vectors[:, 0], sample.ids.astype(np.float32))
            drawn[sample.ids] += 1
        assert opened.sample(100, seed=3).ids.tolist() == opened.sample(100, seed=3).ids.tolist()
        assert len(opened.sample(1000, seed=3, until=day(1)).ids) == 398
    assert drawn[7] == drawn[8] == drawn[500] == 0
    assert drawn[drawn > 0].size > 390
    quarters = [int(drawn[begin : begin + 100].sum()) for begin in range(1, 401, 100)]
    assert max(quarters) - min(quarters) < 150, quarters  # 1000 each, standard deviation about 27


def test_memory_does_not_grow_with_the_table(table: Table) -> None:
    wide, rows = 512, 30_000
    table.database.tell(
        f"INSERT INTO {KIND.table} (idx, song_id, embedding) SELECT seq, seq, REPEAT(x'0000803f', {wide})"
        f" FROM seq_1_to_{rows}"
    )
    with table.open(mysql_page_rows=2000) as opened:
        pages = replace(opened, dimension=wide).pages()
        tracemalloc.start()
        try:
            assert sum(page.read for page in pages) == rows
            _, peak = tracemalloc.get_traced_memory()
        finally:
            tracemalloc.stop()
    assert peak < 10 * 2000 * wide * 4, f"{peak:,} bytes; the table has {rows * wide * 4:,}"
