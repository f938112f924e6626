"""``embsearch faiss``: train, build, bring up to date, look at, and put back the FAISS indexes over MySQL."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, TypeVar

import typer
from rich.table import Table

from include.cli.options import takes
from include.cli.session import command_run, command_session
from include.cli.tables import by_reason, console, print_rows, whole_table
from include.music_index import parameters as forms
from include.settings import get_settings

if TYPE_CHECKING:
    from include.music_index.several import Job

app = typer.Typer(no_args_is_help=True)

P = TypeVar("P", bound=forms.TypeParameters)


@app.command("train")
@takes(forms.FaissTrainParameters)
def train(parameters: forms.FaissTrainParameters) -> None:
    """Train indexes on samples of their tables, for `build`."""
    from include.music_index.train import train as job  # noqa: PLC0415 — help must be quick

    _run("train_faiss", job, parameters, _show_training)


@app.command("build")
@takes(forms.FaissBuildParameters)
def build(parameters: forms.FaissBuildParameters) -> None:
    """Fill trained indexes with all rows of their tables, and serve them."""
    from include.music_index.build import build as job  # noqa: PLC0415 — help must be quick

    _run("add_faiss", job, parameters, _show_versions)


@app.command("rebuild")
@takes(forms.FaissRebuildParameters)
def rebuild(parameters: forms.FaissRebuildParameters) -> None:
    """Train and build indexes from nothing, whatever is left of those before."""
    from include.music_index.rebuild import rebuild as job  # noqa: PLC0415 — help must be quick

    _run("rebuild_faiss", job, parameters, _show_versions)


@app.command("increment")
@takes(forms.FaissIncrementParameters)
def increment(parameters: forms.FaissIncrementParameters) -> None:
    """Bring indexes up to now, or to the end of a day: what came, changed, was committed late, was deleted."""
    from include.music_index.increment import increment as job  # noqa: PLC0415 — help must be quick

    _run("add_daily_faiss", job, parameters, _show_versions)


@app.command("info")
@takes(forms.FaissInfoParameters)
def info(parameters: forms.FaissInfoParameters) -> None:
    """Show what is served, how good it is, what else is kept, and whether every byte is as it was written."""
    from include.music_index.info import info as job  # noqa: PLC0415 — help must be quick

    _run("info_faiss", job, parameters, _show_info)


@app.command("rollback")
@takes(forms.FaissRollbackParameters)
def rollback(parameters: forms.FaissRollbackParameters) -> None:
    """Serve the version before, or the one that is named."""
    from include.music_index.rollback import rollback as job  # noqa: PLC0415 — help must be quick

    _run("rollback_faiss", job, parameters, _show_rollback)


def _run(name: str, job: Job[P], parameters: P, show: Any) -> None:
    """Do ``job`` for each type, logged as ``name``; what has been done is shown, also when another type fails."""
    from include.music_index.several import for_each  # noqa: PLC0415 — help must be quick

    settings = get_settings()
    with command_session(f"faiss {job.__name__}", settings, job=name) as log_file:
        done: list[dict[str, Any]] = []
        try:
            kinds = forms.types_of(parameters)
            for_each(job, kinds, parameters, command_run(name, parameters), settings, done=done.append)
        finally:
            if done:
                show(done)
            typer.echo(f"Log: {log_file}")


def _show_training(done: list[dict[str, Any]]) -> None:
    table = whole_table("type", "index", "dimension", "trained on", "of rows", "seconds")
    for found in done:
        row = (found["key"], str(found["d"]), f"{found['training_rows']:,}", f"{found['rows']:,}")
        table.add_row(found["type"], *row, f"{found['seconds']['wall']:.1f}")
    console.print(table)


def _show_versions(done: list[dict[str, Any]]) -> None:
    console.print(versions_table(done))
    for found in done:
        counts = found["counts"]
        console.print(
            f"{found['type']}: read {counts['read']:,} = in the index {counts['written']:,} + not "
            f"({by_reason(counts['skipped'])})",
            soft_wrap=True,
        )
        for alert in found["drift"]["alerts"]:
            console.print(f"{found['type']} has drifted: {alert}. Run: embsearch faiss rebuild --type {found['type']}")
        if "repaired" in found:
            damaged = ", ".join(found["repaired"]["damaged"])
            console.print(f"{found['type']}: {damaged} was damaged and has been given up", soft_wrap=True)


def versions_table(done: list[dict[str, Any]]) -> Table:
    """What a build or an increment of each type made."""
    table = whole_table("type", "version", "rows", "new", "updated", "deleted", "set aside", "recall@10", "seconds")
    for found in done:
        changes = found.get("changes", {"new": found["rows"], "updated": 0, "deleted": 0})
        version = found["version"] if found["outcome"] == "published" else "nothing new"
        table.add_row(
            found["type"], version, f"{found['rows']:,}",
            *(f"{changes[name]:,}" for name in ("new", "updated", "deleted")),
            f"{found['bad']['count']:,}", _figure(found["recall_at_10"]), f"{found['seconds']['wall']:.1f}",
        )  # fmt: skip
    return table


def _show_info(done: list[dict[str, Any]]) -> None:
    for found in done:
        if found["served"] is None:
            name = found["type"]
            console.print(f"{name}: nothing is served yet. Run: embsearch faiss rebuild --type {name}")
            continue
        whole = "yes" if found["damage"] is None else found["damage"]
        facts = {name: str(value) for name, value in found.items() if name not in {"damage", "versions", "drift"}}
        facts |= {"versions": "\n".join(found["versions"]), "drift": "; ".join(found.get("drift", [])) or "none"}
        print_rows([*facts.items(), ("whole", whole)])


def _show_rollback(done: list[dict[str, Any]]) -> None:
    for found in done:
        console.print(
            f"{found['type']} serves {found['version']} with {found['rows']:,} rows, instead of {found['instead_of']}",
            soft_wrap=True,
        )


def _figure(value: float | None) -> str:
    return "-" if value is None else f"{value:.3f}"
