import pytest

from include.errors import ContractError, GateFailed, InputError
from include.generations.promotion import left_by, outdated, refuse_older, refuse_shrinking, roll_back_target


def test_a_late_run_does_not_replace_a_newer_generation() -> None:
    with pytest.raises(ContractError, match="which is newer"):
        refuse_older("k", "k__20261121t080000-aaaaaaaa", "k__20261121t070000-bbbbbbbb")
    refuse_older("k", "k__20261121t060000-aaaaaaaa", "k__20261121t070000-bbbbbbbb")
    refuse_older("k", None, "k__20261121t070000-bbbbbbbb")
    refuse_older("k", "an-index-from-before", "k__20261121t070000-bbbbbbbb")


@pytest.mark.parametrize(("limit", "taken"), [(0, "all of the input was taken"), (1000, "limit 1,000 was given")])
def test_little_does_not_replace_much_and_the_message_says_how_to_allow_it(limit: int, taken: str) -> None:
    with pytest.raises(GateFailed) as refused:
        refuse_shrinking("k__2", 1000, 2001, min_share=0.5, limit=limit)
    assert str(refused.value) == (
        "k__2 has 1,000 rows, served are 2,001: less than the share of 0.5 that min_share asks for, so it is not "
        f"served ({taken}). When that is meant, run again with min_share 0."
    )


@pytest.mark.parametrize(("rows", "served", "share"), [(1000, 2000, 0.5), (5, 0, 0.5), (1, 10**6, 0.0), (10, 10, 1.0)])
def test_what_is_large_enough_is_served(rows: int, served: int, share: float) -> None:
    refuse_shrinking("k__2", rows, served, min_share=share, limit=0)


def test_the_newest_and_the_served_one_are_kept() -> None:
    assert outdated(["a", "b", "c", "d"], served="a", keep=2) == ["b"]
    assert outdated(["a", "b", "c", "d"], served="d", keep=2) == ["a", "b"]
    assert outdated(["a", "b"], served=None, keep=2) == []


def test_keeping_none_is_refused() -> None:
    with pytest.raises(InputError, match="keep is 0"):
        outdated(["a"], served="a", keep=0)


def test_what_a_roll_back_left_pushes_none_out_and_is_no_default_target() -> None:
    names = ["a", "b", "c", "d"]
    assert outdated(names, served="d", keep=2, left=["c"]) == ["a", "c"]
    assert outdated(names, served="c", keep=2, left=["c", "d"]) == ["a", "d"]
    assert roll_back_target("x", "d", names, None, left=["c"]) == "b"
    assert roll_back_target("x", "d", names, "c", left=["c"]) == "c"


def test_what_others_need_stays_besides_the_newest() -> None:
    assert outdated(["a", "b", "c", "d"], served="d", keep=2, needed=["a", "gone"]) == ["b"]


def test_a_roll_back_leaves_all_that_is_newer_and_a_roll_forward_nothing() -> None:
    names = ["a", "b", "c", "d"]
    assert left_by("c", "a", names) == ["b", "c"]
    assert left_by("a", "c", names) == []
    assert left_by(None, "c", names) == []
