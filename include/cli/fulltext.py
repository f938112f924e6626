"""``embsearch fulltext``: documents into their collection, out of it, and found."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, Any

import typer

from include.cli import fulltext_quality, fulltext_search, fulltext_vectors
from include.cli.options import takes
from include.cli.session import command_run, command_session
from include.cli.tables import by_reason, console
from include.fulltext.parameters import DocumentDeleteParameters, DocumentIndexParameters
from include.settings import get_settings

app = typer.Typer(no_args_is_help=True)
app.add_typer(fulltext_vectors.app)
app.add_typer(fulltext_search.app)
app.add_typer(fulltext_quality.app)


@app.command("index")
@takes(DocumentIndexParameters)
def index(parameters: DocumentIndexParameters) -> None:
    """Index documents that are new or have changed; write their chunk texts for the vectors."""
    from include.fulltext.chunk_file import write_chunk_file  # noqa: PLC0415 — help must be quick
    from include.fulltext.indexing import index_documents  # noqa: PLC0415

    settings = get_settings()
    with command_session("fulltext-index", settings) as log_file:
        day = f"{datetime.now():%Y-%m-%d}"  # noqa: DTZ005 — local time
        dated = parameters.model_copy(update={"input": parameters.input.replace("{date}", day)})
        summary = index_documents(dated, command_run("fulltext-index", dated), settings)
        _print_index(summary)
        if summary["documents"]:
            chunks = write_chunk_file(parameters.collection, settings, es_url=parameters.es_url)
            told = "have changed" if chunks["changed"] else "are as they were"
            console.print(f"{chunks['texts']:,} chunk texts {told}: {chunks['input']}", soft_wrap=True)
        typer.echo(f"Log: {log_file}")


@app.command("delete")
@takes(
    DocumentDeleteParameters,
    ids=Annotated[list[str], typer.Argument(help="Ids of documents, such as ja/tent.md.")],
)
def delete(parameters: DocumentDeleteParameters, ids: list[str]) -> None:
    """Delete documents with all their chunks."""
    from include.fulltext.deletion import delete_documents  # noqa: PLC0415 — help must be quick

    settings = get_settings()
    with command_session("fulltext-delete", settings):
        found = delete_documents(parameters, ids, command_run("fulltext-delete", parameters), settings)
        newer = f", {found['newer']:,} stay, as a later run wrote them" if found["newer"] else ""
        console.print(
            f"{found['deleted']:,} deleted, {found['missing']:,} were not there{newer}; "
            f"{found['collection']} has {found['documents']:,} documents",
            soft_wrap=True,
        )


def _print_index(summary: dict[str, Any]) -> None:
    counts, seconds = summary["counts"], summary["seconds"]["wall"]
    console.print(
        f"read {counts['read']:,} = written {counts['written']:,} + skipped ({by_reason(counts['skipped'])}) + "
        f"dead {counts['dead']:,}; deleted {summary['deleted']:,}; {summary['chunks']:,} chunks in {seconds:.1f} s",
        soft_wrap=True,
    )
    kind, cut = summary["analysis"]["kind"], summary["chunking"]
    console.print(
        f"{summary['collection']} serves {summary['documents']:,} documents ({summary['generation']}; "
        f"analysis {kind}; chunks of {cut['size']} {cut['unit']})",
        soft_wrap=True,
    )
    if "set_aside" in summary:
        console.print(f"Set aside: see {summary['set_aside']}", soft_wrap=True)
