"""One job for several index types: what fails for one stops no other, and is told at the end."""

from __future__ import annotations

import logging
from collections.abc import Callable, Sequence
from typing import Any, TypeVar

from include.catalog.index_types import IndexType
from include.errors import EmbsearchError, FatalError, TransientError
from include.generations.run import Run
from include.music_index.parameters import TypeParameters
from include.settings import Settings

P = TypeVar("P", bound=TypeParameters)
Job = Callable[[IndexType, P, Run, Settings], dict[str, Any]]

log = logging.getLogger(__name__)


def for_each(
    job: Job[P],
    kinds: Sequence[IndexType],
    parameters: P,
    run: Run,
    settings: Settings,
    *,
    done: Callable[[dict[str, Any]], None] = lambda _: None,
) -> list[dict[str, Any]]:
    """The figures of ``job`` for each of ``kinds``, in this order; ``done`` is told of each at once.

    Raises:
        TransientError: it failed for some, for all of them in a way that may pass.
        FatalError: it failed for some otherwise. Each failure is told, and the other types are done.
    """
    found: list[dict[str, Any]] = []
    failures: dict[str, Exception] = {}
    for kind in kinds:
        try:
            summary = job(kind, parameters, run, settings)
        except EmbsearchError as error:
            if len(kinds) > 1:
                log.error("%s: %s", kind.name, error)  # noqa: TRY400 — the message says what to do, a trace hides it
            failures[kind.name] = error
        except Exception as error:  # a defect: the other types are done all the same
            log.exception("%s", kind.name)
            failures[kind.name] = error
        else:
            done(summary)
            found.append(summary)
    if failures:
        raise failure(failures, len(kinds))
    return found


def failure(failures: dict[str, Exception], asked: int) -> Exception:
    """One error for all; of a single type its own."""
    if asked == 1:
        return next(iter(failures.values()))
    passing = all(isinstance(error, TransientError) for error in failures.values())
    told = "; ".join(f"{name}: {_said(error)}" for name, error in failures.items())
    kind: type[EmbsearchError] = TransientError if passing else FatalError
    return kind(f"{len(failures)} of {asked} index types failed, the others are done. {told}")


def _said(error: Exception) -> str:
    return str(error) if isinstance(error, EmbsearchError) else f"{type(error).__name__}: {error}"
