"""The end of every build that fills an index: finalise, check, take the name, prune."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager
from dataclasses import asdict, dataclass
from typing import Any

from include.elastic.documents import Document
from include.elastic.index_generations import IndexGenerations
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
    alone: AbstractContextManager[Any],
    before: Callable[[], object] = lambda: None,
    last: Callable[[], object] = lambda: None,
) -> dict[str, Any]:
    """Give the alias to the build's generation; return what it replaces and the gate's figures.

    ``before`` is called when the gate is passed. ``alone`` is held while the name moves, after ``last`` has done what
    must be done in that moment. Whatever is interrupted can be repeated.

    Raises:
        GateFailed: the index is not what was written, or much smaller than the served one.
        ContractError: a newer generation is served already.
    """
    refuse_older(build.alias, generations.resolve(), build.generation)
    gate = build.once("gate", lambda: asdict(_checked(build.generation, generations, written)))
    before()
    with alone:
        refuse_older(build.alias, generations.resolve(), build.generation)  # another may have ended meanwhile
        last()
        refuse_smaller(build, generations, generations.count(build.generation))
        previous = build.previous(generations.resolve())
        generations.promote(build.generation)
    generations.prune(keep=settings.keep_generations)
    return {"previous": previous, "gate": gate}


def refuse_smaller(build: Build, generations: IndexGenerations, rows: int) -> None:
    """Let no build of ``rows`` documents replace a much larger index.

    Raises:
        GateFailed: they are less than the build's parameter ``min_share`` of those that are served.
    """
    served_rows = 0 if generations.resolve() is None else generations.count(build.alias)
    asked = build.facts["parameters"]
    refuse_shrinking(build.generation, rows, served_rows, min_share=asked["min_share"], limit=asked["limit"])


def _checked(generation: str, generations: IndexGenerations, written: Written) -> GateFigures:
    generations.finalise(generation)
    return verify_or_send_again(
        generations, generation, written.sample(), count=written.count, version=written.version,
        send_all=written.send_again,
    )  # fmt: skip
