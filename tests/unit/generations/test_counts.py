import pytest
from hypothesis import given
from hypothesis import strategies as st

from include.errors import ContractError
from include.generations.counts import Counts

balanced = st.builds(
    lambda written, skipped, dead: Counts(written + sum(skipped.values()) + dead, written, skipped, dead),
    st.integers(0, 1000),
    st.dictionaries(st.sampled_from(["blank", "duplicate", "older"]), st.integers(0, 1000)),
    st.integers(0, 1000),
)


@given(st.lists(balanced))
def test_sums_of_balanced_counts_are_balanced(parts: list[Counts]) -> None:
    total = Counts.total(parts).check("all")
    assert total.read == sum(part.read for part in parts)
    assert sum(total.skipped.values()) == sum(sum(part.skipped.values()) for part in parts)


def test_a_missing_row_is_refused_by_name() -> None:
    with pytest.raises(ContractError, match=r"products\.txt: counts do not add up: read 3 ≠ written 1"):
        Counts(read=3, written=1, skipped={"blank": 1}).check("products.txt")


@given(balanced)
def test_counts_survive_json(counts: Counts) -> None:
    assert Counts.from_dict(counts.as_dict()) == counts
