"""What commands print: nothing that did not happen, and every count."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

import pytest
from rich.console import Console

from include.cli.images import neighbours_table
from include.cli.tables import console, output_width, print_counts, print_letters, print_rows, stage_table
from include.images.index import SimilarImage

SUMMARY: dict[str, Any] = {
    "collection": "keywords",
    "generation": "keywords__1",
    "run": "run__1",
    "counts": {"read": 1_010, "written": 1_000, "skipped": {"blank": 3, "duplicate": 5}, "dead": 2},
    "seconds": {"reuse": 0.5, "embed": 2.0, "wall": 4.0},
}
LETTERS: dict[str, Any] = {
    "letters": 12,
    "runs": [
        {"run": "links__1", "letters": 9, "reasons": {"mapper_parsing": 6, "too_long": 3}, "example": "no [colour]",
         "newest": "2026-11-18"},
    ],
}  # fmt: skip


def rows(summary: dict[str, Any]) -> dict[str, list[str]]:
    """Stage → workflow, rows, rows a second."""
    columns = [list(column.cells) for column in stage_table({"index": summary}).columns]
    return {str(row[1]): [str(row[0]), str(row[2]), str(row[4])] for row in zip(*columns, strict=True)}


def test_a_stage_is_told_with_the_rows_that_it_worked_on() -> None:
    assert rows({**SUMMARY, "reused": 400}) == {
        "reuse": ["index", "400", "800"],
        "embed": ["", "600", "300"],
        "wall": ["", "1,000", "250"],
    }
    without = {name: value for name, value in SUMMARY.items() if name != "reused"}
    assert rows(without)["embed"][1] == "1,000"


def test_a_stage_with_nothing_to_do_has_no_row() -> None:
    assert list(rows({**SUMMARY, "reused": 0})) == ["embed", "wall"]
    assert rows({**SUMMARY, "reused": 0})["embed"][0] == "index"
    assert list(rows({**SUMMARY, "reused": 1_000})) == ["reuse", "wall"]


def test_counts_name_the_reasons_and_how_to_look_at_dead_letters(capsys: pytest.CaptureFixture[str]) -> None:
    print_counts(SUMMARY)
    said = capsys.readouterr().out
    assert "read 1,010 = written 1,000 + skipped (3 blank, 5 duplicate) + dead 2" in said
    assert "embsearch replay --run run__1 --no-dry-run" in said


def test_rows_that_were_set_aside_are_told_with_their_file_and_are_no_dead_letters(
    capsys: pytest.CaptureFixture[str],
) -> None:
    counts = {"read": 3, "written": 2, "skipped": {"unusable": 1}, "dead": 0}
    print_counts({**SUMMARY, "counts": counts, "unusable": "/state/unusable.jsonl"})
    said = capsys.readouterr().out
    assert "skipped (1 unusable) + dead 0" in said
    assert "/state/unusable.jsonl" in said
    assert "replay" not in said


def test_dead_letters_are_shown_with_their_reasons_and_what_to_run(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(console, "_width", 160)
    print_letters(LETTERS, sent=False)
    said = capsys.readouterr().out
    assert all(word in said for word in ("links__1", "6 mapper_parsing", "3 too_long", "no [colour]", "2026-11-18"))
    assert "and 3 of older runs" in said
    assert said.endswith("12 dead letters, nothing was sent. When the cause is mended: embsearch replay --no-dry-run\n")


def test_what_became_of_sent_letters_adds_up(capsys: pytest.CaptureFixture[str]) -> None:
    print_letters({**LETTERS, "indexed": 8, "skipped": {"newer_version": 1}, "dead": 3}, sent=True)
    assert "Sent 12: indexed 8, skipped (1 newer_version), dead again 3\n" in capsys.readouterr().out


def test_no_letters_is_said(capsys: pytest.CaptureFixture[str]) -> None:
    print_letters({"letters": 0, "runs": []}, sent=True)
    assert capsys.readouterr().out == "There are no dead letters.\n"


FILE = Path("/home/somebody/embeddings/data/demo/images/oak/oak_scratch_000123456789.jpg")
NEIGHBOUR = SimilarImage(
    image_id=123_456_789, local_path=str(FILE), storage_url=None, product_code="oak", product_name="oak",
    defect_code="scratch", defect_name="Scratch", image_type="defect", similarity_score=0.5, version="v",
)  # fmt: skip


def test_in_a_narrow_terminal_what_is_long_is_folded_and_nothing_is_cut(capsys: pytest.CaptureFixture[str]) -> None:
    Console(width=60).print(neighbours_table([NEIGHBOUR]))
    said = capsys.readouterr().out
    assert "…" not in said
    cells = [line.split("│") for line in said.splitlines() if line.startswith("│")]
    assert "".join(cell[-2].strip() for cell in cells) == str(FILE)


def test_where_there_is_no_terminal_a_row_is_one_line(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("COLUMNS", raising=False)
    monkeypatch.setattr(console, "_width", output_width())
    console.print(neighbours_table([NEIGHBOUR]))
    print_rows([("file", str(FILE) * 5)])
    lines = capsys.readouterr().out.splitlines()
    assert any("123456789" in line and str(FILE) in line for line in lines)
    assert any(str(FILE) * 5 in line for line in lines)


def test_a_terminal_and_the_variable_columns_decide_about_the_width(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COLUMNS", "70")
    assert output_width() is None
    monkeypatch.delenv("COLUMNS")
    monkeypatch.setattr(sys.stdout, "isatty", lambda: True)
    assert output_width() is None
