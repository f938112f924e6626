"""Which generation may take a name: a finished one that is newer and not much smaller, or in a roll back an earlier."""

from __future__ import annotations

from collections.abc import Collection, Sequence

from include.errors import ContractError, GateFailed, InputError
from include.generations.names import alias_of


def refuse_older(alias: str, served: str | None, generation: str) -> None:
    """Let a late run fail rather than put back what it built long ago; rolling back is a step of its own.

    Raises:
        ContractError: ``served`` is newer than ``generation``.
    """
    if served is not None and alias_of(served) == alias and served > generation:
        msg = (
            f"{alias} serves {served}, which is newer than {generation}: not promoted. "
            "Start a new run, or roll back if the older one is wanted."
        )
        raise ContractError(msg)


def refuse_shrinking(generation: str, rows: int, served_rows: int, *, min_share: float, limit: int) -> None:
    """Let nobody replace much by little by mistake: a small ``limit`` left in a form, a file that was cut off.

    ``limit`` is the one that left rows of the input behind, 0 when none did.

    Raises:
        GateFailed: ``rows`` are less than ``min_share`` of ``served_rows``.
    """
    if rows < min_share * served_rows:
        taken = f"limit {limit:,} was given" if limit else "all of the input was taken"
        msg = (
            f"{generation} has {rows:,} rows, served are {served_rows:,}: less than the share of {min_share:g} that "
            f"min_share asks for, so it is not served ({taken}). When that is meant, run again with min_share 0."
        )
        raise GateFailed(msg)


def roll_back_target(
    alias: str, served: str | None, generations: Sequence[str], to: str | None, *, left: Collection[str] = ()
) -> str:
    """``to``, or else the newest of ``generations`` (oldest first) before the served one that is not in ``left``.

    Raises:
        InputError: there is no such generation, or none before.
    """
    there = f"There are: {', '.join(generations) or 'none'}."
    if to is not None:
        if to not in generations:
            msg = f"{to} is no generation of {alias}. {there}"
            raise InputError(msg)
        return to
    older = [name for name in generations if (served is None or name < served) and name not in left]
    if not older:
        msg = f"{alias} has no generation before {served}. {there} Another of them is served by naming it: --to NAME."
        raise InputError(msg)
    return older[-1]


def left_by(served: str | None, to: str, generations: Sequence[str]) -> list[str]:
    """The generations that a roll back from ``served`` to ``to`` leaves as bad; none when ``to`` is the newer one."""
    return [name for name in generations if served is not None and to < name <= served]


def outdated(
    generations: Sequence[str],
    served: str | None,
    keep: int,
    *,
    left: Collection[str] = (),
    needed: Collection[str] = (),
) -> list[str]:
    """Which of ``generations`` (oldest first) to drop: all but the newest ``keep``, never the served one.

    Those in ``left`` were rolled back from: they push out none, so that what they had replaced is still there. Those
    that are ``needed`` by others stay, besides the newest.

    Raises:
        InputError: ``keep`` is less than 1.
    """
    if keep < 1:
        msg = f"keep is {keep}; at least 1 generation must stay."
        raise InputError(msg)
    good = [name for name in generations if name not in left or name == served]
    return [name for name in generations if name != served and name not in {*good[-keep:], *needed}]
