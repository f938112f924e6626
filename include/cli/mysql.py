"""Commands that make tables of vectors and test data in MySQL."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING, Annotated

import typer

from include.cli.jobs import generate_app
from include.cli.session import command_session
from include.settings import get_settings

if TYPE_CHECKING:
    from collections.abc import Sequence

    from include.mysql.seeds import Seeded

app = typer.Typer(no_args_is_help=True, help="The tables of vectors and of programmes' songs.")

START = "2026-01-01T16:58:00+09:00"


@app.callback()
def _tables() -> None:
    """So that one command is a command of this name."""


@app.command("migrate")
def migrate() -> None:
    """Make the tables that are missing, by the owner's login; tables that are there stay as they are."""
    from include.mysql.schema import migrate as apply  # noqa: PLC0415 — help must be quick

    with command_session("mysql", get_settings()):
        applied = apply(get_settings())
        typer.echo("\n".join(f"applied {name}" for name in applied) or "Nothing is missing.")


@generate_app.command("vectors")
def generate_vectors(
    *,
    rows: Annotated[int, typer.Option(min=200, max=10_000_000, help="Of each table.")] = 20_000,
    types: Annotated[str, typer.Option(help="Index types by commas, or all.")] = "all",
    days: Annotated[int, typer.Option(min=0, max=20, help="That pass after the first load.")] = 0,
    day: Annotated[int, typer.Option(min=0, max=20, help="Only let this day pass over what is there.")] = 0,
    start: Annotated[str, typer.Option(help="When the first load ends, with a time zone.")] = START,
    seed: Annotated[int, typer.Option(min=0, help="Same seed, same rows.")] = 0,
    overwrite: Annotated[bool, typer.Option("--overwrite", help="Replace test data, never other rows.")] = False,
) -> None:
    """Vectors in MySQL, with gaps, deletions, late commits and bad rows; and songs of the programmes."""
    from include.catalog.index_types import index_types  # noqa: PLC0415
    from include.mysql.schema import migrate as apply  # noqa: PLC0415
    from include.mysql.seeds import ANY, play_day  # noqa: PLC0415
    from include.mysql.seeds import seed as make  # noqa: PLC0415

    settings = get_settings()
    with command_session("generate", settings):
        kinds, begin = index_types(types), _moment(start)
        if day:
            print_seeded(play_day(settings, kinds, day, rows=rows, start=begin, seed=seed))
            return
        apply(settings)
        replaces = ANY if overwrite else ()
        print_seeded(make(settings, kinds, rows=rows, start=begin, days=days, seed=seed, replaces=replaces))


def print_seeded(done: Sequence[Seeded]) -> None:
    """What was done to each table."""
    from include.cli.tables import console  # noqa: PLC0415

    for found in done:
        more = f", {found.changed:,} of them changed, {found.late:,} late, {found.bad:,} bad; {found.deleted:,} deleted"
        console.print(f"{found.table}: {found.written:,} rows written{more if found.changed else ''}", soft_wrap=True)


def _moment(text: str) -> datetime:
    try:
        moment = datetime.fromisoformat(text)
    except ValueError:
        moment = None
    if moment is None or moment.tzinfo is None:
        msg = f"{text!r} is no moment with a time zone: write it as {START}."
        raise typer.BadParameter(msg)
    return moment.astimezone(UTC)
