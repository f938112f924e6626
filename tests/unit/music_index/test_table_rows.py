"""What became of a table's rows adds up, whatever happens while they are read."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from include.errors import ContractError
from include.faiss_index.ids import Ids
from include.generations.vectors import VectorRows
from include.music_index.set_aside import SetAside, setting_aside
from include.music_index.table_rows import Reading, Snapshot, absent, accounted
from include.mysql.decoding import BadRow
from include.mysql.embedding_table import Page

IDS = st.frozensets(st.integers(1, 40))


def ids(numbers: frozenset[int] | set[int]) -> Ids:
    return np.array(sorted(numbers), np.int64)


def page(good: set[int], bad: set[int]) -> Page:
    rows = VectorRows(ids(good), np.ones((len(good), 2), np.float32))
    return Page(rows, tuple(BadRow(number, "null") for number in sorted(bad)), max(good | bad, default=0))


@given(sets=st.tuples(IDS, IDS, IDS, IDS, IDS, IDS))
def test_each_live_row_is_in_the_index_or_accounted_for(
    sets: tuple[frozenset[int], ...], tmp_path_factory: pytest.TempPathFactory
) -> None:
    """Rows of ``gone`` are deleted, those of ``came`` committed between the look at the ids and the reading."""
    live, later, index, gone, came, bad = sets
    snapshot = Snapshot(ids(live), ids(live & later))
    missing = set((live - later) - index)
    found = (missing - gone) | (came - live)
    with (tmp_path_factory.mktemp("bad") / "rows").open("w") as file:
        reading = Reading(SetAside("tb", Path("rows"), file))
        list(reading.take([page(found - bad, found & bad)]))
        written = len(((index & live) - bad) | (index & live & bad) | (found - bad))
        counts = accounted(snapshot, reading, asked=ids(missing), before=ids(index & live), written=written, table="tb")
        assert counts.read == len(live | found)
        with pytest.raises(ContractError, match="do not add up"):
            accounted(snapshot, reading, asked=ids(missing), before=ids(index), written=written + 1, table="tb")


def test_due_are_the_live_rows_that_were_not_changed_too_late() -> None:
    assert Snapshot(ids({1, 2, 3}), ids({2, 9})).due.tolist() == [1, 3]
    assert absent(ids({1, 2}), ids(set())).tolist() == [1, 2]


def test_rows_set_aside_are_written_with_their_reasons_and_only_the_first_are_told_one_by_one(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    path = tmp_path / "bad_rows.jsonl"
    path.with_name(".bad_rows.jsonl.1.tmp").write_text("left by a process that died")
    with caplog.at_level("WARNING", "include"), setting_aside(path, "tb") as aside:
        aside.add([BadRow(number, "null") for number in range(100)])
        aside.add([BadRow(7_000, "wrong length", "4 bytes, 8 are expected of float32")])
    assert len(path.read_text().splitlines()) == 101
    assert '"id": 7000, "reason": "wrong length", "detail": "4 bytes, 8 are' in path.read_text()
    assert len(caplog.records) == 21
    assert "101 rows are set aside (100 null, 1 wrong length); all are in" in caplog.text
    assert aside.figures() == {"count": 101, "for_example": [0, 1, 2]}
    assert [file.name for file in tmp_path.iterdir()] == ["bad_rows.jsonl"]
