"""Days that are indexed late, again, or in any order."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest

from include.errors import ContractError
from tests.integration.fulltext.library import Library
from tests.integration.fulltext.three_files import seed


def day(number: int) -> datetime:
    return datetime(2026, 3, number, tzinfo=UTC)


def test_an_older_day_neither_replaces_nor_brings_back_what_a_later_day_has_settled(library: Library) -> None:
    first, second = library.write({"a.txt": "one", "b.txt": "b"}, "d1"), library.write({"a.txt": "two"}, "d2")
    third = library.write({"a.txt": "one", "c.txt": "c"}, "d3")
    library.index(input=str(first), date=day(1))
    library.index(input=str(third), date=day(3))  # finds `a` unchanged
    library.delete("b.txt", date=day(4))
    late = library.index(input=str(second), date=day(2))
    assert late["counts"]["skipped"] == {"older": 1}
    assert library.texts()["a.txt"] == "one"
    again = library.index(input=str(first), date=day(1))
    assert again["counts"] == {"read": 2, "written": 0, "skipped": {"older": 2}, "dead": 0}
    assert set(library.documents()) == {"a.txt", "c.txt"}


def test_days_that_were_left_out_are_filled_in_any_order(library: Library) -> None:
    days = {
        number: library.write({f"{number}.txt": "x", "all.txt": f"day {number}"}, f"d{number}") for number in (1, 2, 3)
    }
    for number in (3, 1, 2, 2):
        library.index(input=str(days[number]), date=day(number))
    assert library.texts() == {"1.txt": "x", "2.txt": "x", "3.txt": "x", "all.txt": "day 3"}


def test_a_run_that_is_older_than_what_was_written_builds_no_new_index(library: Library) -> None:
    seed(library)
    library.index(date=day(1))
    library.write({"en/kettle.txt": "new"})
    library.index(date=day(3))
    with pytest.raises(ContractError, match="A later run has written"):
        library.index(date=day(2), rebuild=True)
    assert library.texts()["en/kettle.txt"] == "new"
