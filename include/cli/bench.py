"""``embsearch bench``: figures beside their baselines, as a table and as JSON. Needs the stack: ``make up``."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Annotated

import typer

from include.bench.figures import REPEATS, Figure, machine, save
from include.cli.session import command_session
from include.cli.tables import console, whole_table
from include.settings import Settings, get_settings

app = typer.Typer(no_args_is_help=True)


Scale = Annotated[
    float,
    typer.Option(min=0.01, max=1, help="Share of the full sizes, for a quick look: only 1 tells of the goals."),
]


def repeats(scale: float) -> int:
    """How often each side runs; a quick look is content with once."""
    return REPEATS if scale == 1 else 1


def embed(settings: Settings, scale: float) -> list[Figure]:
    """Embedding over Triton against ONNX Runtime in process."""
    from include.bench import embed as bench_embed  # noqa: PLC0415 — help must be quick
    from include.model_export.launch import exported_folder  # noqa: PLC0415

    folder = exported_folder(settings.model, settings)
    count = round(bench_embed.TEXTS * scale)
    found = bench_embed.embed_figures(settings, folder, count=count, repeats=repeats(scale))
    amx = machine()["amx"]
    goals = {64: 5.0 if amx else 1.8, 256: 6.5 if amx else 1.8}
    medians = found["median"]
    return [
        Figure(
            f"embed over Triton, batches of {size}", medians[f"triton_{size}"], medians["in_process"], "texts/s", goal,
            details=found,
        )
        for size, goal in goals.items()
    ]  # fmt: skip


def search(settings: Settings, scale: float) -> list[Figure]:
    """Upsert and search in the engine in process, 96k × 768, against exact search."""
    from include.bench.search import POINTS, search_figures  # noqa: PLC0415

    folder = settings.state_dir / "bench" / "search"
    shutil.rmtree(folder, ignore_errors=True)
    url = settings.qdrant_url if settings.qdrant_url.startswith("http") else None
    points = round(POINTS * scale)
    found = search_figures(
        folder, points=points, repeats=repeats(scale), server_url=url, api_key=settings.qdrant_api_key
    )
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
    server = found["server"]
    if "not_measured" in server:
        console.print(f"search on a Qdrant server: {server['not_measured']}", soft_wrap=True)
        return figures
    batched, single = (found["batch"] * 1000 / server[way] for way in ("batched_ms", "single_ms"))
    return [
        *figures,
        Figure("search on a Qdrant server, in one call", batched, single, "queries/s", 2.5),
        Figure("search on a Qdrant server, recall@30", server["recall"], 1.0, "", 0.99),
    ]


def bulk(settings: Settings, scale: float) -> list[Figure]:
    """Bulk indexing against async_bulk of 64."""
    from include.bench import bulk as bench_bulk  # noqa: PLC0415

    return [
        bench_bulk.flat(settings, round(bench_bulk.FLAT_DOCUMENTS * scale), repeats=repeats(scale)),
        bench_bulk.nested(settings, round(bench_bulk.NESTED_DOCUMENTS * scale), repeats=repeats(scale)),
    ]


def link(settings: Settings, scale: float) -> list[Figure]:
    """The whole linking against the documented design."""
    from include.bench import linking  # noqa: PLC0415

    keywords, products = round(linking.KEYWORDS * scale), round(linking.PRODUCTS * scale)
    return linking.linking(settings, keywords=keywords, products=products, repeats=repeats(scale))


def memory(settings: Settings, scale: float) -> list[Figure]:
    """Peak memory of 100k products against 10k."""
    from include.bench import linking  # noqa: PLC0415

    keywords, products = round(linking.KEYWORDS * scale), round(linking.PRODUCTS * scale)
    return [linking.memory(settings, keywords=keywords, small=products, large=10 * products)]


def playlists(settings: Settings, scale: float) -> list[Figure]:
    """The playlist cache in one transaction against one SET for every key."""
    from include.bench.playlists import IDS, playlist_figures  # noqa: PLC0415

    return playlist_figures(settings, ids=round(IDS * scale), repeats=repeats(scale))


def faiss(settings: Settings, scale: float) -> list[Figure]:
    """FAISS over MySQL, 500k × 512: reading, adding, searching, and an increment of 1 % against a rebuild."""
    from include.bench.faiss import ROWS, faiss_figures  # noqa: PLC0415

    return faiss_figures(settings, rows=round(ROWS * scale), repeats=repeats(scale))


def faiss_growth(settings: Settings, scale: float) -> list[Figure]:
    """A rebuild and an increment at 100k, 500k and 2M × 512; needs 12 GB of disk for a while."""
    from include.bench.faiss import SIZES, growth_figures  # noqa: PLC0415

    return growth_figures(settings, tuple(round(size * scale) for size in SIZES))


def images(settings: Settings, scale: float) -> list[Figure]:
    """Images: embedded in batches, searched under load among 100k, rebuilt unchanged, promoted meanwhile."""
    from include.bench.images import PICTURES, SEARCHED, image_figures  # noqa: PLC0415

    return image_figures(
        settings, pictures=max(100, round(PICTURES * scale)), searched=round(SEARCHED * scale), repeats=repeats(scale)
    )


def full_size(settings: Settings, scale: float) -> list[Figure]:
    """ruri_v3 in its true size, from export to 1,000 texts, beside the same in process; needs 12 GB for a while."""
    from include.bench.full_size import TEXTS  # noqa: PLC0415
    from include.bench.full_size import full_size as measure  # noqa: PLC0415

    return measure(settings, texts=round(TEXTS * scale))


def gpu(settings: Settings, scale: float) -> list[Figure]:
    """A model that is served on a GPU, beside the goals of an H200-class card."""
    from include.bench.gpu import SECONDS, gpu_figures  # noqa: PLC0415
    from include.model_export.launch import exported_folder  # noqa: PLC0415

    return gpu_figures(settings, exported_folder(settings.model, settings), seconds=SECONDS * scale)


def fulltext(settings: Settings, scale: float) -> list[Figure]:
    """Documents: indexing against one call each, and searches of 100k chunks while indexing goes on."""
    from include.bench import fulltext as bench_fulltext  # noqa: PLC0415

    documents, chunks = round(bench_fulltext.DOCUMENTS * scale), round(bench_fulltext.CHUNKS * scale)
    seconds = bench_fulltext.SECONDS * max(scale, 0.1)
    return [
        *bench_fulltext.indexing_figures(settings, documents=documents, repeats=repeats(scale)),
        *bench_fulltext.reading_figures(settings, chunks=chunks, seconds=seconds),
    ]


def relevance(settings: Settings, scale: float) -> list[Figure]:  # noqa: ARG001 — the set has one size
    """The samples' queries: own tokens against standard, the hybrid search against text and vector."""
    from include.bench.relevance import analysis_figures, mode_figures  # noqa: PLC0415

    return [*analysis_figures(settings), *mode_figures(settings)]


DOCUMENTED_UPSERTS = 3_700.0  # vectors/s, a statement and not a measurement of ours

STAGES: dict[str, Callable[[Settings, float], list[Figure]]] = {
    "embed": embed, "search": search, "bulk": bulk, "link": link, "memory": memory, "playlists": playlists,
    "faiss": faiss, "fulltext": fulltext, "relevance": relevance,
}  # fmt: skip

# Not among all: they need minutes, much disk, the tools of `make tools`, or a GPU.
ALONE: dict[str, Callable[[Settings, float], list[Figure]]] = {
    "full_size": full_size,
    "faiss_growth": faiss_growth,
    "images": images,
    "gpu": gpu,
}


def _add(name: str) -> None:
    def command(
        output: Annotated[Path, typer.Option(help="JSON to write.")] = Path(f"logs/bench/{name}.json"),
        scale: Scale = 1.0,
    ) -> None:
        run([name], output, scale)

    app.command(name, help=(STAGES | ALONE)[name].__doc__)(command)


for _name in STAGES | ALONE:
    _add(_name)


@app.command("all")
def everything(
    output: Annotated[Path, typer.Option(help="JSON to write.")] = Path("logs/bench/all.json"), scale: Scale = 1.0
) -> None:
    """All of them, about half an hour."""
    run(list(STAGES), output, scale)


def run(names: Sequence[str], output: Path, scale: float) -> None:
    """Measure, print the table, write the JSON."""
    settings = get_settings()
    with command_session("bench", settings):
        before = machine()
        figures = [figure for name in names for figure in (STAGES | ALONE)[name](settings, scale)]
        table = whole_table("figure", "ours", "baseline", "unit", "ratio", "goal", "reached")
        for figure in figures:
            goal = "-" if figure.goal is None else f"{'≤' if figure.at_most else '≥'} {figure.goal:g}"
            reached = {None: "-", True: "yes", False: "NO"}[figure.reached]
            sides = (f"{side:,.4g}" for side in (figure.ours, figure.baseline))
            table.add_row(figure.name, *sides, figure.unit, f"{figure.ratio:.2f}", goal, reached)
        console.print(table)
        console.print(f"machine: {before}", soft_wrap=True)
        if scale < 1:
            console.print(f"At scale {scale:g}, each side once: fixed costs weigh more than at the goals' sizes.")
        save(figures, output, before, scale=scale)
        console.print(f"JSON: {output}")
