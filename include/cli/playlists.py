"""``embsearch playlist``: write the sets that the playlists' readers use, and look at one."""

from __future__ import annotations

from typing import Annotated

import typer

from include.cli.options import takes
from include.cli.session import command_run, command_session
from include.cli.tables import by_reason, console, print_rows, whole_table
from include.playlists.parameters import PlaylistCacheParameters
from include.settings import get_settings

app = typer.Typer(no_args_is_help=True)

SHOWN = 10


@app.command("cache")
@takes(PlaylistCacheParameters)
def cache(parameters: PlaylistCacheParameters) -> None:
    """Write the sets of programmes and index types anew, all in one transaction."""
    from include.playlists.workflow import cache_playlists  # noqa: PLC0415 — help must be quick

    settings = get_settings()
    with command_session("playlist-cache", settings, job="cache_playlist") as log_file:
        summary = cache_playlists(parameters, command_run("playlist-cache", parameters), settings)
        types = list(summary["index_versions"])
        table = whole_table("programme", *types)
        for program, sizes in summary["sets"].items():
            table.add_row(program, *(f"{sizes[kind]:,}" for kind in types))
        console.print(table)
        for kind, found in summary["missing"].items():
            told = (f"{what['count']:,} {reason}, such as {what['for_example']}" for reason, what in found.items())
            console.print(f"{kind}: {'; '.join(told)}", soft_wrap=True)
        counts = summary["counts"]
        console.print(
            f"read {counts['read']:,} = written {counts['written']:,} + skipped ({by_reason(counts['skipped'])}); "
            f"{summary['bytes']:,} bytes as {summary['encoding']} in {summary['seconds']['wall']:.1f} s",
            soft_wrap=True,
        )
        if summary["without_index"]:
            console.print(f"No index is served yet of: {', '.join(summary['without_index'])}", soft_wrap=True)
        typer.echo(f"Log: {log_file}")


@app.command("show")
def show(
    program: Annotated[str, typer.Argument(help="A programme, such as drp.")],
    index_type: Annotated[str, typer.Argument(help="An index type, such as song.")],
) -> None:
    """Show one set as its readers see it: how many ids, the first of them, and from which index they come."""
    from include.playlists.reader import open_reader  # noqa: PLC0415 — help must be quick

    settings = get_settings()
    with command_session("playlist-show", settings), open_reader(settings) as reader:
        ((ids, info),) = reader.read_with_info([(program, index_type)])
        first = ", ".join(map(str, ids[:SHOWN].tolist())) + (", …" if len(ids) > SHOWN else "")
        facts = {
            "ids": f"{len(ids):,}", "the first": first or "none", "encoding": info.encoding,
            "index version": info.index_version, "run": info.run_date.isoformat(" ", "seconds"),
            "written": info.time.isoformat(" ", "seconds"),
        }  # fmt: skip
        print_rows(list(facts.items()))
