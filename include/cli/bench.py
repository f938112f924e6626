"""``embsearch bench``: figures beside their baselines, as a table and as JSON. Needs the stack: ``make up``."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Annotated

import typer
from rich.table import Table

from include.bench.figures import Figure, machine, save
from include.cli.session import command_session
from include.cli.tables import console
from include.settings import Settings, get_settings

app = typer.Typer(no_args_is_help=True)


def embed(settings: Settings) -> list[Figure]:
    """Embedding over Triton against ONNX Runtime in process."""
    from include.bench.embed import embed_figures  # noqa: PLC0415 — help must be quick
    from include.model_export.launch import exported_folder  # noqa: PLC0415

    found = embed_figures(settings, exported_folder(settings.model, settings))
    amx = found["runtime"] == "openvino"
    goals = {64: 5.0 if amx else 1.8, 256: 6.5 if amx else 1.8}
    medians = found["median"]
    return [
        Figure(
            f"embed over Triton, batches of {size}", medians[f"triton_{size}"], medians["in_process"], "texts/s", goal,
            details=found,
        )
        for size, goal in goals.items()
    ]  # fmt: skip


def search(settings: Settings) -> list[Figure]:
    """Upsert and search in the engine in process, 96k × 768, against exact search."""
    from include.bench.search import search_figures  # noqa: PLC0415

    folder = settings.state_dir / "bench" / "search"
    shutil.rmtree(folder, ignore_errors=True)
    url = settings.qdrant_url if settings.qdrant_url.startswith("http") else None
    found = search_figures(folder, server_url=url, api_key=settings.qdrant_api_key)
    shutil.rmtree(folder, ignore_errors=True)
    figures = [
        Figure(
            "search, CPU of 64 queries", found["edge"]["cpu_ms"], found["exact"]["cpu_ms"], "ms", 0.25, at_most=True,
            details=found,
        ),
        Figure("search, recall@30", found["recall"], 1.0, "", 0.99),
        Figure(
            "upsert, against the rate that the documented system states",
            found["points"] / found["build"]["load_seconds"], DOCUMENTED_UPSERTS, "vectors/s", 1.0,
        ),
    ]  # fmt: skip
    if "server" in found:
        server = found["server"]
        figures.append(
            Figure("search, one batched call", 1 / server["batched_ms"], 1 / server["single_ms"], "1/ms", 2.5)
        )
    return figures


def bulk(settings: Settings) -> list[Figure]:
    """Bulk indexing against async_bulk of 64."""
    from include.bench import bulk as bench_bulk  # noqa: PLC0415

    return [bench_bulk.flat(settings), bench_bulk.nested(settings)]


def link(settings: Settings) -> list[Figure]:
    """The whole linking against the documented design."""
    from include.bench import linking  # noqa: PLC0415

    return [linking.linking(settings)]


def memory(settings: Settings) -> list[Figure]:
    """Peak memory of 100k products against 10k."""
    from include.bench import linking  # noqa: PLC0415

    return [linking.memory(settings)]


DOCUMENTED_UPSERTS = 3_700.0  # vectors/s, a statement and not a measurement of ours

STAGES: dict[str, Callable[[Settings], list[Figure]]] = {
    "embed": embed, "search": search, "bulk": bulk, "link": link, "memory": memory,
}  # fmt: skip


def _add(name: str) -> None:
    def command(output: Annotated[Path, typer.Option(help="JSON to write.")] = Path(f"logs/bench/{name}.json")) -> None:
        run([name], output)

    app.command(name, help=STAGES[name].__doc__)(command)


for _name in STAGES:
    _add(_name)


@app.command("all")
def everything(output: Annotated[Path, typer.Option(help="JSON to write.")] = Path("logs/bench/all.json")) -> None:
    """All of them, about half an hour."""
    run(list(STAGES), output)


def run(names: Sequence[str], output: Path) -> None:
    """Measure, print the table, write the JSON."""
    settings = get_settings()
    with command_session("bench", settings):
        figures = [figure for name in names for figure in STAGES[name](settings)]
        table = Table("figure", "ours", "baseline", "unit", "ratio", "goal", "reached")
        for figure in figures:
            goal = f"{'≤' if figure.at_most else '≥'} {figure.goal:g}"
            sides = (f"{side:,.4g}" for side in (figure.ours, figure.baseline))
            table.add_row(
                figure.name, *sides, figure.unit, f"{figure.ratio:.2f}", goal, "yes" if figure.reached else "NO"
            )
        console.print(table)
        console.print(f"machine: {machine()}")
        save(figures, output)
        console.print(f"JSON: {output}")
