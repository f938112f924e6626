"""Commands of the keyword and linking workflows."""

from __future__ import annotations

import time
from typing import Annotated, Any

import typer

from include.cli.options import takes
from include.cli.session import command_run, command_session
from include.cli.tables import print_counts, print_samples, print_stages
from include.keywords.parameters import TextIndexParameters, VectorIndexParameters
from include.linking.parameters import LinkingParameters
from include.settings import get_settings
from include.sources.files import find_input
from include.sources.generators import Kind, Language, write_texts

app = typer.Typer(no_args_is_help=True)
generate_app = typer.Typer(no_args_is_help=True, help="Make test data: seeded, of any size.")


@app.command("index-vectors")
@takes(VectorIndexParameters)
def index_vectors(parameters: VectorIndexParameters) -> None:
    """Embed keywords and serve them as a new generation of the vector collection."""
    from include.keywords.run import index_vectors as run_index_vectors  # noqa: PLC0415 — help must be quick

    settings = get_settings()
    with command_session("index-vectors", settings):
        run = command_run("index-vectors", parameters, [find_input(parameters.input)])
        began = time.monotonic()
        summary = run_index_vectors(parameters, run, settings)
        _tell(summary, time.monotonic() - began)


@app.command("index-text")
@takes(TextIndexParameters)
def index_text(parameters: TextIndexParameters) -> None:
    """Index keywords as text in a new generation of the Elasticsearch index."""
    from include.keywords.run import index_text as run_index_text  # noqa: PLC0415

    settings = get_settings()
    with command_session("index-text", settings):
        run = command_run("index-text", parameters, [find_input(parameters.input)])
        began = time.monotonic()
        summary = run_index_text(parameters, run, settings)
        _tell(summary, time.monotonic() - began)


@app.command("link")
@takes(LinkingParameters)
def link(parameters: LinkingParameters) -> None:
    """Link products to their nearest keywords."""
    from include.linking.run import link_products  # noqa: PLC0415
    from include.linking.sample import sample_documents  # noqa: PLC0415

    settings = get_settings()
    with command_session("link", settings) as log_file:
        run = command_run("link", parameters, [find_input(parameters.products)])
        began = time.monotonic()
        build, summary = link_products(parameters, run, settings)
        _tell(summary, time.monotonic() - began)
        print_samples(sample_documents(build, settings, 10))
        typer.echo(f"Log: {log_file}")


@generate_app.command("keywords")
def generate_keywords(
    output: Annotated[str, typer.Option(help="File to write.")] = "data/keywords_400k.txt",
    count: Annotated[int, typer.Option(min=1, max=1_000_000_000, help="How many.")] = 400_000,
    language: Annotated[str, typer.Option(help="en, ja or ko.")] = "ja",
    seed: Annotated[int, typer.Option(help="Same seed, same texts.")] = 0,
) -> None:
    """Keywords such as ファッション 便利な 登山."""
    _generate("keywords", output, count, language, seed)


@generate_app.command("products")
def generate_products(
    output: Annotated[str, typer.Option(help="File to write.")] = "data/products_400k.txt",
    count: Annotated[int, typer.Option(min=1, max=1_000_000_000, help="How many.")] = 400_000,
    language: Annotated[str, typer.Option(help="en, ja or ko.")] = "ja",
    seed: Annotated[int, typer.Option(help="Same seed, same texts.")] = 0,
) -> None:
    """Products such as 贅沢 登山リュック M."""
    _generate("products", output, count, language, seed)


def _generate(kind: Kind, output: str, count: int, language: str, seed: int) -> None:
    from include.settings import PROJECT_ROOT  # noqa: PLC0415

    languages: dict[str, Language] = {"en": "en", "ja": "ja", "ko": "ko"}
    if language not in languages:
        msg = f"There is no vocabulary for {language!r}: choose en, ja or ko."
        raise typer.BadParameter(msg)
    path = PROJECT_ROOT / output
    write_texts(path, kind, count, language=languages[language], seed=seed)
    typer.echo(f"{count:,} {kind} in {path}")


def _tell(summary: dict[str, Any], wall: float) -> None:
    print_counts(summary)
    print_stages(summary, wall)
