"""Search the keyword vectors by text."""

from __future__ import annotations

import sys
from typing import Annotated

import typer
from rich.table import Table

from include.cli.options import takes
from include.cli.session import command_session
from include.cli.tables import console
from include.keywords.parameters import SearchParameters
from include.settings import get_settings

app = typer.Typer()

Queries = Annotated[list[str], typer.Argument(help="Texts; - alone reads one a line from standard input.")]


@app.command("search")
@takes(
    SearchParameters,
    arguments={"queries": Annotated[list[str], typer.Argument(help="Texts; - reads lines from standard input.")]},
)
def search(parameters: SearchParameters, queries: list[str]) -> None:
    """Nearest keywords of one query or of a batch, with scores."""
    from include.keywords.search import search_keywords  # noqa: PLC0415 — help must be quick

    settings = get_settings()
    texts = [line.strip() for line in sys.stdin if line.strip()] if queries == ["-"] else queries
    with command_session("search", settings):
        table = Table("query", "keyword", "id", "score")
        for query, hits in zip(texts, search_keywords(parameters, texts, settings), strict=True):
            for rank, hit in enumerate(hits):
                table.add_row(query if rank == 0 else "", hit.keyword, str(hit.keyword_id), f"{hit.score:.4f}")
        console.print(table)
