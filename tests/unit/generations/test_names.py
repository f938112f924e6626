from datetime import UTC, datetime, timedelta, timezone

import pytest

from include.errors import InputError
from include.generations.names import alias_of, check_alias, generation_name, run_key

KEY = run_key("airflow", "product_linking", "manual__1")


def test_names_sort_by_time_whatever_the_time_zone() -> None:
    seoul = timezone(timedelta(hours=9))
    early = generation_name("keywords", datetime(2026, 11, 21, 8, 0, tzinfo=seoul), KEY)
    late = generation_name("keywords", datetime(2026, 11, 21, 7, 0, tzinfo=UTC), KEY)
    assert early < late
    assert late == f"keywords__20261121t070000000-{KEY[:8]}"
    assert alias_of(late) == "keywords"


def test_parts_of_a_key_cannot_run_into_each_other() -> None:
    assert run_key("a", "bc") != run_key("ab", "c")


@pytest.mark.parametrize("alias", ["", "UPPER", "-first", "with space", "a__b", "a_", "x" * 101, "../up", "한국"])
def test_a_name_that_a_store_would_refuse_is_refused(alias: str) -> None:
    with pytest.raises(InputError, match="cannot name a collection"):
        check_alias(alias)
