"""Search the keyword vectors by text."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterable
from typing import Annotated

import typer
from rich.table import Table

from include.cli.options import takes
from include.cli.session import command_session
from include.cli.tables import console
from include.errors import InputError
from include.keywords.parameters import SearchParameters
from include.settings import get_settings
from include.sources.rows import Row, as_row

app = typer.Typer()


@app.command("search")
@takes(
    SearchParameters,
    queries=Annotated[list[str], typer.Argument(help="Texts; - alone reads one a line from standard input.")],
)
def search(parameters: SearchParameters, queries: list[str]) -> None:
    """Nearest keywords of one query or of a batch, with scores."""
    from include.keywords.search import search_keywords  # noqa: PLC0415 — help must be quick

    settings = get_settings()
    with command_session("search", settings):
        texts = _texts(sys.stdin.buffer if queries == ["-"] else map(os.fsencode, queries))
        table = Table("query", "keyword", "id", "score")
        for query, hits in zip(texts, search_keywords(parameters, texts, settings), strict=True):
            for rank, hit in enumerate(hits):
                table.add_row(query if rank == 0 else "", hit.keyword, str(hit.keyword_id), f"{hit.score:.4f}")
        console.print(table)


def _texts(lines: Iterable[bytes]) -> list[str]:
    """The queries, without blank ones.

    Raises:
        InputError: one is not UTF-8, or there is none.
    """
    rows = [as_row(number, line) for number, line in enumerate(lines, start=1)]
    for row in rows:
        if not isinstance(row, Row) and not row.blank:
            msg = f"Query {row.number} cannot be used ({row.reason}): {row.raw[:80]}. Give short texts in UTF-8."
            raise InputError(msg)
    texts = [row.text for row in rows if isinstance(row, Row)]
    if not texts:
        msg = "There is no query. Give texts as arguments, or - and one text a line on standard input."
        raise InputError(msg)
    return texts
