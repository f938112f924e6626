"""``embsearch fulltext search``, and the printing of what a search of documents found."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Annotated, Literal

import typer
from pydantic import Field

from include.cli.options import takes
from include.cli.session import command_session
from include.cli.tables import console, whole_table
from include.fulltext.parameters import DocumentSearchParameters
from include.settings import get_settings

if TYPE_CHECKING:
    from include.fulltext.results import DocumentWithScore
    from include.settings import Settings

app = typer.Typer()

SHOWN_CHARACTERS = 90  # of a passage
FOUND_BY = {"fulltext_search": "text", "vector_search": "vector"}


class CommandSearchParameters(DocumentSearchParameters):
    """A search whose failure is the command's, unless it was asked for otherwise."""

    faults: Literal["strict", "soft"] = Field(
        "strict",
        title="Faults",
        description="strict: a search that fails is an error; soft: it finds nothing and says so in the log.",
    )


@app.command("search")
@takes(CommandSearchParameters, query=Annotated[list[str], typer.Argument(help="Words, a phrase or a question.")])
def search(parameters: CommandSearchParameters, query: list[str]) -> None:
    """Passages of documents by words, by meaning, or both."""
    settings = get_settings()
    with command_session("fulltext-search", settings):
        search_documents(parameters, [" ".join(query)], settings)


def search_documents(parameters: DocumentSearchParameters, queries: Sequence[str], settings: Settings) -> None:
    """Search for each of ``queries`` and print what is found.

    Raises:
        EmbsearchError: a query cannot be searched for.
    """
    from include.fulltext.runners import open_runner  # noqa: PLC0415 — help must be quick

    filters = {"chat_id": parameters.chat_id} if parameters.chat_id else None
    with open_runner(parameters, settings) as runner:
        for query in queries:
            _print(query, runner.search(query, parameters.top_k, filters))


def _print(query: str, found: Sequence[DocumentWithScore]) -> None:
    console.print(f"{query}:" if found else f"{query}: nothing found", soft_wrap=True)
    if not found:
        return
    table = whole_table("document", "title", "passage", "by", "score")
    for result in found:
        table.add_row(
            result.metadata["chunk_id"], result.metadata["title"], _passage(result), _found_by(result),
            f"{result.score:.4f}",
        )  # fmt: skip
    console.print(table)


def _passage(result: DocumentWithScore) -> str:
    """Its beginning, in one line."""
    line = " ".join(result.text.split())
    return line if len(line) <= SHOWN_CHARACTERS else f"{line[:SHOWN_CHARACTERS]}…"


def _found_by(result: DocumentWithScore) -> str:
    if ranks := result.metadata.get("ranks"):
        return ", ".join(f"{'text' if name == 'fulltext' else name} {rank}" for name, rank in ranks.items())
    recall_type: str = result.metadata["recall_type"]
    return FOUND_BY.get(recall_type, recall_type)
