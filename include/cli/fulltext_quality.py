"""``embsearch fulltext quality``: how good the search of documents is."""

from __future__ import annotations

import typer

from include.cli.options import takes
from include.cli.session import command_run, command_session
from include.fulltext.parameters import SearchQualityParameters
from include.settings import get_settings

app = typer.Typer()


@app.command("quality")
@takes(SearchQualityParameters)
def quality(parameters: SearchQualityParameters) -> None:
    """recall@5, MRR@10 and nDCG@10 by mode and language; fails when one has dropped."""
    from include.fulltext.evaluation import evaluate, latest_figures  # noqa: PLC0415 — help must be quick

    settings = get_settings()
    with command_session("fulltext-quality", settings):
        evaluate(parameters, command_run("fulltext-quality", parameters), settings)  # it logs the table
        typer.echo(f"Figures: {latest_figures(settings, parameters.collection)}")
