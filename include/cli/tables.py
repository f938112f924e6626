"""What commands print when they are done."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from rich.console import Console
from rich.table import Table

if TYPE_CHECKING:
    from include.elastic.documents import Document

console = Console(highlight=False, markup=False, emoji=False)  # keywords are printed as they are


def print_counts(summary: dict[str, Any]) -> None:
    """Read = written + skipped + dead, and what is served now."""
    counts = summary["counts"]
    skipped = ", ".join(f"{rows:,} {reason}" for reason, rows in counts["skipped"].items()) or "none"
    console.print(
        f"{summary.get('index') or summary.get('collection')} serves {summary['generation']}: "
        f"read {counts['read']:,} = written {counts['written']:,} + skipped ({skipped}) + dead {counts['dead']:,}",
        soft_wrap=True,
    )
    if counts["dead"]:
        console.print(
            f"{counts['dead']:,} rows are dead letters. See why: embsearch replay. When the cause is mended: "
            f"embsearch replay --run {summary['generation']} --dry-run false",
            soft_wrap=True,
        )
    if "reused" in summary:
        console.print(f"{summary['reused']:,} vectors were taken over from an earlier generation")


def stage_table(summaries: dict[str, dict[str, Any]]) -> Table:
    """Rows, seconds and rows a second of every stage; seconds of what runs side by side are summed."""
    table = Table("workflow", "stage", "rows", "seconds", "rows/s", caption="batches overlap: only wall is time")
    for workflow, summary in summaries.items():
        rows = summary["counts"]["written"]
        for number, (stage, seconds) in enumerate(summary["seconds"].items()):
            rate = f"{rows / seconds:,.0f}" if seconds > 0.001 else "-"
            table.add_row("" if number else workflow, stage, f"{rows:,}", f"{seconds:.1f}", rate)
    return table


def print_samples(documents: Sequence[Document], keywords: int = 5) -> None:
    """Some products with their best keywords."""
    table = Table("product", "best keywords (score)")
    for document in documents:
        best = document.source["keywords"][:keywords]
        table.add_row(
            document.source["product_name"][:60], "\n".join(f"{k['keyword']} ({k['score']:.3f})" for k in best)
        )
    console.print(table)
