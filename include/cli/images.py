"""``embsearch images``: test pictures, the indexes of images, searches, V1 beside V2, temporary images."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer
from rich.table import Table

from include.cli.options import takes
from include.cli.session import command_run, command_session
from include.cli.tables import by_reason, console, whole_table
from include.images.parameters import (
    ImageCleanupParameters,
    ImageCompareParameters,
    ImageIndexParameters,
    ImageSearchParameters,
    asked_types,
)
from include.settings import PROJECT_ROOT, get_settings

if TYPE_CHECKING:
    from include.images.compare import Compared
    from include.images.index import SimilarImage

app = typer.Typer(no_args_is_help=True)

SHOWN = 10  # queries of a comparison


@app.command("migrate")
def migrate() -> None:
    """Make the tables of images, by the owner's login; tables that are there stay as they are."""
    from include.images.schema import migrate as apply  # noqa: PLC0415 — help must be quick

    with command_session("images migrate", get_settings()):
        applied = apply(get_settings())
        typer.echo("\n".join(f"applied {name}" for name in applied) or "Nothing is missing.")


@app.command("seed")
def seed(
    *,
    images: Annotated[int, typer.Option(min=1, max=1_000_000, help="How many pictures.")] = 400,
    to: Annotated[str, typer.Option(help="A folder or s3://bucket/prefix; default: the first of images_roots.")] = "",
    seed_: Annotated[int, typer.Option("--seed", min=0, help="Same seed, same pictures.")] = 0,
) -> None:
    """Draw pictures of eight products, with and without defects, and record them in the tables."""
    from include.images.seed import seed as make  # noqa: PLC0415

    target = to if "://" in to or not to else str(PROJECT_ROOT / to)
    with command_session("images seed", get_settings()):
        done = make(get_settings(), images=images, target=target, seed_=seed_)
        typer.echo(f"{done['images']:,} pictures, {done['drawn']:,} of them drawn now; {done['rows']:,} rows written")


@app.command("build")
@takes(ImageIndexParameters)
def build(parameters: ImageIndexParameters) -> None:
    """Embed what is new, and serve an index of each type."""
    from include.images.build import build as job  # noqa: PLC0415

    settings = get_settings()
    with command_session("images build", settings):
        for image_type in asked_types(parameters.type):
            _show_build(job(image_type, parameters, command_run(f"images build {image_type}", parameters), settings))


@app.command("search")
@takes(ImageSearchParameters, image=Annotated[Path, typer.Argument(help="A picture.", exists=True, dir_okay=False)])
def search(parameters: ImageSearchParameters, image: Path) -> None:
    """Show the most similar images of a picture."""
    from include.images.pictures import PictureLimits, read_picture  # noqa: PLC0415
    from include.images.search import search_image  # noqa: PLC0415

    settings = get_settings()
    with command_session("images search", settings):
        data = read_picture(image, PictureLimits.from_settings(settings))
        found = search_image(
            data, settings, image_type=parameters.type, edition=parameters.edition, top_k=parameters.top_k
        )
        console.print(neighbours_table(found))
        if parameters.sheet:
            from include.images.contact_sheet import write_sheet  # noqa: PLC0415

            typer.echo(f"Picture: {write_sheet(Path(parameters.sheet), data, found, settings)}")


@app.command("compare")
@takes(ImageCompareParameters)
def compare(parameters: ImageCompareParameters) -> None:
    """Ask V1 and V2 the same questions: neighbours that both name, and differences of their scores."""
    from include.images.compare import compare as job  # noqa: PLC0415

    with command_session("images compare", get_settings()):
        rows, means = job(parameters, get_settings())
        console.print(_comparison_table(rows))
        for name, value in means.items():
            console.print(f"{name}: {value}", soft_wrap=True)


@app.command("cleanup")
@takes(ImageCleanupParameters)
def cleanup(parameters: ImageCleanupParameters) -> None:
    """Delete temporary images that are old enough, and their objects."""
    from include.images.cleanup import clean_up  # noqa: PLC0415

    with command_session("images cleanup", get_settings()):
        clean_up(parameters, datetime.now(UTC), get_settings())  # it logs the counts


def neighbours_table(found: list[SimilarImage]) -> Table:
    """The nearest first."""
    table = whole_table("score", "image", "product", "defect", "file or object")
    for each in found:
        where = each.local_path or each.storage_url or ""
        defect = f"{each.defect_code} ({each.defect_name})"
        table.add_row(f"{each.similarity_score:.4f}", str(each.image_id), each.product_name, defect, where)
    return table


def _show_build(found: dict[str, Any]) -> None:
    if found["version"] is None:
        console.print(f"{found['type']}: {found['outcome']}", soft_wrap=True)
        return
    counts = found["counts"]
    what = "serves" if found["outcome"] == "published" else "has not changed, and serves"
    console.print(
        f"{found['type']} {what} {found['version']} ({found['kind']}): read {counts['read']:,} = indexed "
        f"{counts['written']:,} + not ({by_reason(counts['skipped'])}); embedded {found['embedded']:,}, taken over "
        f"{found['reused']:,}; {found['seconds']['wall']:.1f} s",
        soft_wrap=True,
    )
    if found["missing"]["count"]:
        console.print(f"What could not be used is listed in {found['report']}", soft_wrap=True)


def _comparison_table(rows: list[Compared]) -> Table:
    table = whole_table("query", "overlap", "score difference", "same first", "first of V1", "first of V2")
    for row in rows[:SHOWN]:
        difference = "-" if row.score_difference is None else f"{row.score_difference:.4f}"
        firsts = (names[0] if names else "-" for names in (row.v1, row.v2))
        table.add_row(row.query, f"{row.overlap:.2f}", difference, "yes" if row.same_first else "no", *firsts)
    return table
