"""A roll back loses no day: it waits for writers, and a daily run that it overtakes is linked into what is served."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest

from include.cli.rollback import What, put_back
from include.elastic.index_generations import IndexGenerations
from include.elastic.locks import writing_index
from include.errors import GateFailed, InputError
from include.generations.run import Run
from include.linking.workflow import plan, publish, run_shards
from include.sources.build import Build
from tests.integration.linking.conftest import SHARD_ROWS, LinkingStack
from tests.integration.runs import new_run

PRODUCTS = 3 * SHARD_ROWS  # of the day
Day = Callable[[Run], Build]


def roll_back(linking: LinkingStack, to: str | None = None, what: What = What.LINKS) -> str:
    names = {"link_index": linking.index, "keyword_index": linking.index}
    return put_back(what, to, linking.settings.model_copy(update=names))


@pytest.fixture
def late(linking: LinkingStack) -> Path:
    return linking.write_products("late.txt", PRODUCTS, seed=7)


@pytest.fixture
def parameters(late: Path) -> dict[str, Any]:
    return {"products": late, "mode": "realtime"}


@pytest.fixture
def two_generations(linking: LinkingStack) -> tuple[str, str]:
    """An index of ten products, and the one of twenty that is served after it."""
    return linking.link(limit=10)["generation"], linking.link(limit=20, min_share=0)["generation"]


@pytest.fixture
def linked_day(
    linking: LinkingStack, parameters: dict[str, Any], two_generations: tuple[str, str]
) -> Callable[[Run], Build]:
    """A daily run that was interrupted when all was linked, but nothing published."""

    def link(run: Run) -> Build:
        build = plan(linking.parameters(**parameters), run, linking.settings)
        run_shards(build, range(build.input.shards), linking.settings)
        return build

    return link


def names(late: Path) -> set[str]:
    return set(late.read_text(encoding="utf-8").splitlines())


def test_a_day_that_was_linked_but_not_published_before_a_roll_back_is_linked_again(
    linking: LinkingStack, late: Path, parameters: dict[str, Any],
    two_generations: tuple[str, str], linked_day: Day,
) -> None:  # fmt: skip
    run = new_run()
    first = linked_day(run)
    assert roll_back(linking) == two_generations[0]
    told = f"{SHARD_ROWS} products of {first.generation} were linked into {two_generations[1]}.*from its first task"
    with pytest.raises(GateFailed, match=told):
        publish(first, linking.settings)

    summary = linking.link(run, **parameters)
    assert summary["generation"] == two_generations[0]
    assert summary["counts"] == {"read": PRODUCTS, "written": PRODUCTS, "skipped": {}, "dead": 0}
    assert names(late) <= set(linking.documents())
    assert linking.link(run, **parameters) == summary


def test_a_day_that_was_linked_where_a_roll_back_leads_to_is_only_published(
    linking: LinkingStack, late: Path, parameters: dict[str, Any],
    two_generations: tuple[str, str], linked_day: Day,
) -> None:  # fmt: skip
    run = new_run()
    first = linked_day(run)
    roll_back(linking)
    linking.link(run, **parameters)
    roll_back(linking, two_generations[1])  # after all

    assert plan(linking.parameters(**parameters), run, linking.settings).uri == first.uri
    assert linking.link(run, **parameters)["generation"] == two_generations[1]
    assert names(late) <= set(linking.documents())


def test_a_day_of_which_a_part_was_linked_before_a_roll_back_is_linked_again_as_a_whole(
    linking: LinkingStack, late: Path, parameters: dict[str, Any],
    two_generations: tuple[str, str],
) -> None:  # fmt: skip
    run = new_run()
    build = plan(linking.parameters(**parameters), run, linking.settings)
    run_shards(build, [0], linking.settings)
    roll_back(linking)
    run_shards(build, [1, 2], linking.settings)  # the tasks of a run do not ask what others did
    with pytest.raises(GateFailed, match=f"{SHARD_ROWS} products of .* but {two_generations[0]} is served now"):
        publish(build, linking.settings)
    assert linking.link(run, **parameters)["generation"] == two_generations[0]
    assert names(late) <= set(linking.documents())


def test_a_name_that_moves_back_and_forth_strands_no_run(
    linking: LinkingStack, late: Path, parameters: dict[str, Any],
    two_generations: tuple[str, str], linked_day: Day,
) -> None:  # fmt: skip
    older, newer = two_generations
    run = new_run()
    linked_day(run)
    roll_back(linking, older)
    second = plan(linking.parameters(**parameters), run, linking.settings)
    roll_back(linking, newer)
    run_shards(second, range(second.input.shards), linking.settings)  # planned for one index, linked into the other
    roll_back(linking, older)
    assert linking.link(run, **parameters)["generation"] == older
    assert names(late) <= set(linking.documents())


@pytest.mark.parametrize("what", [What.LINKS, What.KEYWORD_TEXT])
def test_a_roll_back_waits_for_who_writes(two_generations: tuple[str, str], linking: LinkingStack, what: What) -> None:
    with ThreadPoolExecutor(1) as pool:
        with writing_index(linking.settings, linking.index, purpose="a daily run", alone=False):
            rolling_back = pool.submit(roll_back, linking, None, what)
            with pytest.raises(TimeoutError):
                rolling_back.result(timeout=0.5)
            assert linking.served() == two_generations[1]
        assert rolling_back.result(timeout=60) == two_generations[0] == linking.served()


def test_a_roll_back_to_what_a_build_is_about_to_drop_waits_and_readers_keep_what_is_served(
    linking: LinkingStack, two_generations: tuple[str, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    prune = IndexGenerations.prune
    with ThreadPoolExecutor(1) as pool:

        def asked_for_meanwhile(generations: IndexGenerations, keep: int) -> list[str]:
            rolling_back.append(pool.submit(roll_back, linking, two_generations[0]))
            with pytest.raises(TimeoutError):
                rolling_back[0].result(timeout=0.5)
            return prune(generations, keep)

        rolling_back: list[Future[str]] = []
        monkeypatch.setattr(IndexGenerations, "prune", asked_for_meanwhile)
        third = linking.link(limit=30)["generation"]
        first, second = two_generations
        with pytest.raises(InputError, match=f"{first} is no generation of .*{second}, {third}"):
            rolling_back[0].result(timeout=60)
    assert linking.served() == third
    assert len(linking.documents()) == 30


def test_a_roll_back_that_is_refused_keeps_nobody_waiting(linking: LinkingStack) -> None:
    linking.link(limit=10)
    with pytest.raises(InputError, match="no generation before"):
        roll_back(linking)
    linking.link(limit=10)
