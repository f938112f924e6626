"""What commands print when they are done."""

from __future__ import annotations

import os
import sys
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from rich.console import Console
from rich.table import Column, Table

if TYPE_CHECKING:
    from include.elastic.documents import Document

STAGES = ("reuse", "embed", "search", "bulk", "index", "gate", "publish", "wall")  # in the order of the work

NO_TERMINAL = 10_000  # characters in a line of a pipe or a file, which has no width of its own


def output_width() -> int | None:
    """Characters in a line of what is printed; ``None``: the terminal or the variable ``COLUMNS`` decides."""
    return None if sys.stdout.isatty() or "COLUMNS" in os.environ else NO_TERMINAL


# Keywords are printed as they are.
console = Console(highlight=False, markup=False, emoji=False, width=output_width())


def whole_table(*headers: str, **options: Any) -> Table:
    """A table whose ids and paths stay whole: what is too long for its column is folded, never cut."""
    return Table(*(Column(header, overflow="fold") for header in headers), **options)


def print_counts(summary: dict[str, Any]) -> None:
    """Read = written + skipped + dead, and what is served now."""
    counts = summary["counts"]
    console.print(
        f"{summary.get('index') or summary.get('collection')} serves {summary['generation']}: "
        f"read {counts['read']:,} = written {counts['written']:,} + skipped ({by_reason(counts['skipped'])}) "
        f"+ dead {counts['dead']:,}",
        soft_wrap=True,
    )
    if "unusable" in summary:
        console.print(f"Rows that cannot be used are in {summary['unusable']}", soft_wrap=True)
    if counts["dead"]:
        console.print(
            f"{counts['dead']:,} rows are dead letters. See why: embsearch replay. When the cause is mended: "
            f"embsearch replay --run {summary['run']} --no-dry-run",
            soft_wrap=True,
        )
    if "reused" in summary:
        console.print(f"{summary['reused']:,} vectors were taken over from an earlier generation")


def print_letters(summary: dict[str, Any], *, sent: bool) -> None:
    """Which runs have dead letters and why; then what became of those that were sent, or how to send them."""
    total = summary["letters"]
    if not total:
        console.print("No dead letter can be read." if summary.get("damaged") else "There are no dead letters.")
        return
    table = whole_table("run", "letters", "reasons", "for example", "newest")
    for run in summary["runs"]:
        reasons = "\n".join(f"{count:,} {reason}" for reason, count in run["reasons"].items())
        table.add_row(run["run"], f"{run['letters']:,}", reasons, run["example"], str(run["newest"]))
    console.print(table)
    if older := total - sum(run["letters"] for run in summary["runs"]):
        console.print(f"and {older:,} of older runs")
    if not sent:
        console.print(
            f"{total:,} dead letters, nothing was sent. When the cause is mended: embsearch replay --no-dry-run",
            soft_wrap=True,
        )
        return
    skipped = by_reason(summary["skipped"])
    console.print(
        f"Sent {total:,}: indexed {summary['indexed']:,}, skipped ({skipped}), dead again {summary['dead']:,}",
        soft_wrap=True,
    )


def by_reason(skipped: dict[str, int]) -> str:
    """How many rows were skipped for which reason."""
    return ", ".join(f"{rows:,} {reason}" for reason, rows in skipped.items()) or "none"


def stage_table(summaries: dict[str, dict[str, Any]]) -> Table:
    """Rows, seconds and rows a second of every stage; seconds of what runs side by side are summed."""
    caption = "What batches side by side took is added up; wall is the time that passed."
    table = whole_table("workflow", "stage", "rows", "seconds", "rows/s", caption=caption)
    for workflow, summary in summaries.items():
        name = workflow
        for stage in sorted(summary["seconds"], key=lambda stage: STAGES.index(stage) if stage in STAGES else 0):
            seconds = summary["seconds"][stage]
            rows = _rows(stage, summary)
            if rows is not None:
                rate = f"{rows / seconds:,.0f}" if seconds > 0.001 else "-"
                table.add_row(name, stage, f"{rows:,}", f"{seconds:.1f}", rate)
                name = ""
    return table


def _rows(stage: str, summary: dict[str, Any]) -> int | None:
    """Rows that a stage worked on; None of one that had nothing to do because all vectors were, or none was, reused."""
    written: int = summary["counts"]["written"]
    reused: int | None = summary.get("reused")
    if reused is None:
        return written
    return {"reuse": reused or None, "embed": written - reused or None}.get(stage, written)


def print_rows(rows: Sequence[tuple[str, str]]) -> None:
    """Names and values, one line each."""
    table = whole_table("", "", show_header=False)
    for name, value in rows:
        table.add_row(name, value)
    console.print(table)


def print_samples(documents: Sequence[Document], keywords: int = 5) -> None:
    """Some products with their best keywords."""
    table = whole_table("product", "best keywords (score)")
    for document in documents:
        best = document.source["keywords"][:keywords]
        table.add_row(
            document.source["product_name"][:60], "\n".join(f"{k['keyword']} ({k['score']:.3f})" for k in best)
        )
    console.print(table)
