"""One job for several index types."""

from __future__ import annotations

from typing import Any

import pytest

from include.catalog.index_types import IndexType, index_types
from include.errors import FatalError, GateFailed, ServiceUnavailable, TransientError
from include.generations.run import Run
from include.music_index.parameters import TypeParameters
from include.music_index.several import for_each
from include.settings import Settings
from tests.integration.runs import new_run

KINDS = index_types("song,artist,song_name")
FAULTS: dict[str, Exception] = {}


@pytest.fixture(autouse=True)
def _no_faults() -> None:
    FAULTS.clear()


def job(kind: IndexType, _parameters: TypeParameters, _run: Run, _settings: Settings) -> dict[str, Any]:
    if kind.name in FAULTS:
        raise FAULTS[kind.name]
    return {"type": kind.name}


def do(kinds: list[IndexType]) -> list[str]:
    done: list[dict[str, Any]] = []
    try:
        for_each(job, kinds, TypeParameters(), new_run(), Settings(), done=done.append)
    finally:
        names = [found["type"] for found in done]
        assert names == [kind.name for kind in kinds if kind.name not in FAULTS]
    return names


def test_all_are_done_in_the_order_in_which_they_are_named() -> None:
    assert do(KINDS) == ["song", "artist", "song_name"]


def test_one_that_fails_stops_no_other_and_is_named_with_its_reason() -> None:
    FAULTS["artist"] = GateFailed("too few rows")
    with pytest.raises(FatalError, match=r"1 of 3 index types failed, the others are done. artist: too few rows"):
        do(KINDS)


def test_only_when_all_failures_may_pass_it_is_worth_trying_again() -> None:
    FAULTS["artist"] = ServiceUnavailable("no answer")
    with pytest.raises(TransientError, match="no answer"):
        do(KINDS)
    FAULTS["song"] = GateFailed("too few rows")
    with pytest.raises(FatalError, match=r"2 of 3 .* no answer"):
        do(KINDS)


def test_a_defect_in_one_type_stops_no_other_either() -> None:
    FAULTS["song"] = ZeroDivisionError("division by zero")
    with pytest.raises(FatalError, match=r"1 of 3 index types failed.* song: ZeroDivisionError: division by zero"):
        do(KINDS)


def test_a_single_type_fails_with_its_own_error() -> None:
    FAULTS["song"] = GateFailed("too few rows")
    with pytest.raises(GateFailed, match=r"^too few rows$"):
        do(KINDS[:1])
