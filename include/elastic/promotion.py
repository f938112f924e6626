"""What is served: the end of every build that fills an index (finalise, check, take the name, prune), and a roll back.

The name moves while nobody writes.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from typing import Any

from include.elastic.documents import Document
from include.elastic.index_generations import IndexGenerations
from include.elastic.locks import writing_index
from include.elastic.verify import GateFigures, verify_or_send_again
from include.generations.promotion import refuse_older, refuse_shrinking
from include.settings import Settings
from include.sources.build import Build


@dataclass(frozen=True)
class Written:
    """What a build has written into its generation; the functions are called only when they are needed."""

    count: int
    sample: Callable[[], Sequence[Document]]  # to be read back
    send_again: Callable[[], object]  # every document; changes none that stands
    version: int | None = None  # external, of the documents


def serve(
    build: Build,
    generations: IndexGenerations,
    written: Written,
    settings: Settings,
    *,
    before: Callable[[], object] = lambda: None,
    last: Callable[[], object] = lambda: None,
) -> dict[str, Any]:
    """Give the alias to the build's generation, drop what is too old; return what it replaces and the gate's figures.

    ``before`` is called when the gate is passed, ``last`` when no writer is left, just before the name moves. Whatever
    is interrupted can be repeated.

    Raises:
        GateFailed: the index is not what was written, or much smaller than the served one.
        ContractError: a newer generation is served already.
        Busy: somebody writes for an hour.
    """
    refuse_older(build.alias, generations.resolve(), build.generation)
    gate = build.once("gate", lambda: asdict(finalised(generations, build.generation, written)))
    before()
    with writing_index(settings, build.alias, purpose=f"publish {build.generation}", alone=True):
        refuse_older(build.alias, generations.resolve(), build.generation)  # another may have ended meanwhile
        last()
        refuse_smaller(build, generations, generations.count(build.generation))
        previous = build.previous(generations.resolve())
        generations.promote(build.generation)
        # Under the lock: else a roll back could serve in between what is about to be dropped.
        generations.prune(keep=settings.keep_generations)
    return {"previous": previous, "gate": gate}


def roll_back(generations: IndexGenerations, settings: Settings, to: str | None = None) -> str:
    """Serve ``to``, or else the newest generation before the served one; return its name.

    Writers are waited for, so that none writes into an index that is served no more when it ends.

    Raises:
        InputError: there is none to go back to.
        Busy: somebody writes for an hour.
    """
    with writing_index(settings, generations.alias, purpose=f"roll back {generations.alias}", alone=True):
        return generations.rollback(to)


def refuse_smaller(build: Build, generations: IndexGenerations, rows: int) -> None:
    """Let no build of ``rows`` documents replace a much larger index.

    Raises:
        GateFailed: they are less than the build's parameter ``min_share`` of those that are served.
    """
    served_rows = 0 if generations.resolve() is None else generations.count(build.alias)
    asked = build.facts["parameters"]
    limit = asked["limit"] if build.input.cut_by_limit else 0
    refuse_shrinking(build.generation, rows, served_rows, min_share=asked["min_share"], limit=limit)


def finalised(generations: IndexGenerations, generation: str, written: Written) -> GateFigures:
    """Make ``generation`` fit to be served, and check that it holds what was written; it may take the name then.

    Raises:
        GateFailed: it does not, even after all was sent again.
    """
    generations.finalise(generation)
    return verify_or_send_again(
        generations, generation, written.sample(), count=written.count, version=written.version,
        send_all=written.send_again,
    )  # fmt: skip
