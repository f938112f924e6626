"""Search by text: the keyword vectors, or documents."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterable
from typing import Annotated, Literal

import typer
from pydantic import Field

from include import fields
from include.cli.fulltext_search import CommandSearchParameters, search_documents
from include.cli.options import takes
from include.cli.session import command_session
from include.cli.tables import console, whole_table
from include.errors import InputError
from include.fulltext.parameters import ALIASES
from include.keywords.parameters import SearchParameters
from include.settings import Settings, get_settings
from include.sources.rows import Row, as_row

app = typer.Typer()


MOST_SHOWN = 200  # characters
OF_DOCUMENTS = "With --mode text, vector or hybrid"


class EitherSearchParameters(SearchParameters):
    """A search of the keyword vectors or of documents; what is not given has the default of the one or the other."""

    mode: Literal["keywords", "text", "vector", "hybrid"] = Field(
        "keywords", title="Mode", description="The keyword vectors; or documents by words, by meaning, or both."
    )
    collection: str = Field(
        "",
        title="Collection",
        description=f"Name of the keyword vectors, by default EMBSEARCH_COLLECTION. {OF_DOCUMENTS}: names of documents "
        "by commas, by default EMBSEARCH_FULLTEXT_COLLECTION.",
        max_length=1000,
        pattern=f"^$|{ALIASES}",
    )
    chat_id: str = Field(
        "", title="Chat", description=f"{OF_DOCUMENTS}: only those of this metadata.chat_id.", max_length=1000
    )
    es_url: str = fields.es_url()


@app.command("search")
@takes(
    EitherSearchParameters,
    queries=Annotated[list[str], typer.Argument(help="Texts; - alone reads one a line from standard input.")],
)
def search(parameters: EitherSearchParameters, queries: list[str]) -> None:
    """Nearest keywords of one query or of a batch, with scores; with --mode passages of documents."""
    settings = get_settings()
    given = {name: getattr(parameters, name) for name in parameters.model_fields_set if getattr(parameters, name) != ""}
    with command_session("search", settings):
        texts = _texts(sys.stdin.buffer if queries == ["-"] else map(os.fsencode, queries))
        if given.pop("mode", "keywords") == "keywords":
            of_keywords = {name: value for name, value in given.items() if name in SearchParameters.model_fields}
            _search_keywords(SearchParameters.checked(of_keywords), texts, settings)
        else:
            search_documents(CommandSearchParameters.checked({**given, "mode": parameters.mode}), texts, settings)


def _search_keywords(parameters: SearchParameters, texts: list[str], settings: Settings) -> None:
    from include.keywords.search import search_keywords  # noqa: PLC0415 — help must be quick

    table = whole_table("query", "keyword", "id", "score")
    for query, hits in zip(texts, search_keywords(parameters, texts, settings), strict=True):
        for rank, hit in enumerate(hits):
            table.add_row(shown(query) if rank == 0 else "", hit.keyword, str(hit.keyword_id), f"{hit.score:.4f}")
    console.print(table)


def shown(query: str) -> str:
    """A query as a table shows it."""
    return query if len(query) <= MOST_SHOWN else f"{query[:MOST_SHOWN]}…"


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
