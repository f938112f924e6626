"""Commands of the keyword and linking workflows."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from include.cli.options import takes
from include.cli.session import command_run, command_session
from include.cli.tables import console, print_counts, print_letters, print_samples, stage_table
from include.elastic.parameters import ReplayParameters
from include.keywords.parameters import TextIndexParameters, VectorIndexParameters
from include.linking.parameters import LinkingParameters
from include.parameters import Parameters
from include.settings import get_settings
from include.sources.files import find_input
from include.sources.generators import Kind, Language, write_texts

if TYPE_CHECKING:
    from include.sources.build import Build

app = typer.Typer(no_args_is_help=True)
generate_app = typer.Typer(no_args_is_help=True, help="Make test data: seeded, of any size.")


@app.command("index-vectors")
@takes(VectorIndexParameters)
def index_vectors(parameters: VectorIndexParameters) -> None:
    """Embed keywords and serve them as a new generation of the vector collection."""
    with job("index-vectors", "include.keywords.vectors", parameters, "input"):
        pass


@app.command("index-text")
@takes(TextIndexParameters)
def index_text(parameters: TextIndexParameters) -> None:
    """Index keywords as text in a new generation of the Elasticsearch index."""
    with job("index-text", "include.keywords.text", parameters, "input"):
        pass


@app.command("link")
@takes(LinkingParameters)
def link(parameters: LinkingParameters) -> None:
    """Link products to their nearest keywords."""
    from include.linking.documents import sample_documents  # noqa: PLC0415

    with job("link", "include.linking.workflow", parameters, "products") as build:
        print_samples(sample_documents(build, get_settings(), 10))


@app.command("replay")
@takes(ReplayParameters)
def replay(parameters: ReplayParameters) -> None:
    """Send dead letters again, or, by default, only show them."""
    from include.elastic.replay import replay_dead_letters  # noqa: PLC0415

    settings = get_settings()
    with command_session("replay", settings):
        print_letters(replay_dead_letters(parameters, settings), sent=not parameters.dry_run)


@contextmanager
def job(command: str, workflow: str, parameters: Parameters, source: str) -> Iterator[Build]:
    """Run a workflow to its end, tell its figures, and let the caller add to them.

    ``source`` is the parameter that names the input; one that lies in the current folder means that file.
    """
    from include.workflow import run_workflow  # noqa: PLC0415 — help must be quick

    settings = get_settings()
    with command_session(command, settings) as log_file:
        here = Path(getattr(parameters, source)).absolute()
        path = find_input(here if here.is_file() else getattr(parameters, source))
        typer.echo(f"Input: {path}")
        parameters = parameters.model_copy(update={source: str(path)})
        run = command_run(command, parameters)
        build, summary = run_workflow(workflow, parameters, run, settings)
        console.print(stage_table({command: summary}))
        yield build
        print_counts(summary)
        typer.echo(f"Log: {log_file}")


@generate_app.command("keywords")
def generate_keywords(
    output: Annotated[str, typer.Option(help="File to write.")] = "data/keywords_400k.txt",
    count: Annotated[int, typer.Option(min=1, max=1_000_000_000, help="How many.")] = 400_000,
    language: Annotated[str, typer.Option(help="en, ja or ko.")] = "ja",
    seed: Annotated[int, typer.Option(help="Same seed, same texts.")] = 0,
    overwrite: Annotated[bool, typer.Option("--overwrite", help="Replace a file that is there.")] = False,
) -> None:
    """Keywords such as ファッション 便利な 登山."""
    _generate("keywords", output, count, language, seed, overwrite=overwrite)


@generate_app.command("products")
def generate_products(
    output: Annotated[str, typer.Option(help="File to write.")] = "data/products_400k.txt",
    count: Annotated[int, typer.Option(min=1, max=1_000_000_000, help="How many.")] = 400_000,
    language: Annotated[str, typer.Option(help="en, ja or ko.")] = "ja",
    seed: Annotated[int, typer.Option(help="Same seed, same texts.")] = 0,
    overwrite: Annotated[bool, typer.Option("--overwrite", help="Replace a file that is there.")] = False,
) -> None:
    """Products such as 贅沢 登山リュック M."""
    _generate("products", output, count, language, seed, overwrite=overwrite)


def _generate(kind: Kind, output: str, count: int, language: str, seed: int, *, overwrite: bool) -> None:
    from include.settings import PROJECT_ROOT  # noqa: PLC0415

    languages: dict[str, Language] = {"en": "en", "ja": "ja", "ko": "ko"}
    if language not in languages:
        msg = f"There is no vocabulary for {language!r}: choose en, ja or ko."
        raise typer.BadParameter(msg)
    path = PROJECT_ROOT / output
    with command_session("generate", get_settings()):
        if path.exists() and not overwrite:
            msg = f"{path} is there already. Give another --output, or --overwrite."
            raise typer.BadParameter(msg)
        write_texts(path, kind, count, language=languages[language], seed=seed)
        typer.echo(f"{count:,} {kind} in {path}")
