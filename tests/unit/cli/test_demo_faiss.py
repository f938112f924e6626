"""What the demo of the indexes over MySQL shows."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path

import pytest
from typer.testing import CliRunner

from include.cli.app import app
from include.cli.demo_checks import check_own
from include.cli.demo_faiss import commands, last_end, steps_table
from include.cli.tables import console
from include.local_stack.served import served_settings
from include.settings import Settings


@pytest.mark.parametrize(
    ("now", "end"),
    [("2026-11-21T07:58:00", "2026-11-21T07:58:00"), ("2026-11-21T07:57:59", "2026-11-20T07:58:00")],
)
def test_its_days_end_when_the_last_daily_run_was_due(now: str, end: str) -> None:
    moments = (datetime.fromisoformat(text).replace(tzinfo=UTC) for text in (now, end))
    assert last_end(next(moments)) == next(moments)


def test_a_step_adds_up_what_it_did_to_all_indexes_and_shows_the_least_recall() -> None:
    types = {
        "song": {"rows": 10, "new": 2, "recall_at_10": 0.98},
        "artist": {"rows": 20, "new": 3, "deleted": 4, "bad": 1, "recall_at_10": 0.97},
        "album_name": {"rows": 5, "recall_at_10": None},
    }
    with console.capture() as shown:
        console.print(steps_table([("day 1", types)]))
    line = next(line for line in shown.get().splitlines() if "day 1" in line)
    assert [cell.strip() for cell in line.strip("│").split("│")] == ["day 1", "3", "35", "5", "0", "4", "1", "0.970"]


def test_the_commands_to_go_on_with_are_those_there_are(tmp_path: Path) -> None:
    lines = commands(Settings(_env_file=None, state_dir=tmp_path))
    assert str(tmp_path / "faiss" / "published" / "muse_vibe.index") in lines[-1]
    assert [line.split()[1:3] for line in lines[:-1]] == [
        ["faiss", "info"],
        ["faiss", "increment"],
        ["playlist", "show"],
    ]


@pytest.mark.parametrize(
    ("variable", "value"),
    [
        ("EMBSEARCH_MYSQL_URL", "mysql://staging:3306/music"),
        ("EMBSEARCH_BACKUP_MYSQL_URL", "mysql://127.0.0.1:3306/other"),
        ("EMBSEARCH_REDIS_URL", "redis://staging:6379/0"),
        ("EMBSEARCH_FAISS_PUBLISHED_DIR", "/srv/readers"),
    ],
)
def test_it_starts_and_writes_nothing_where_the_settings_lead_elsewhere(
    bare_settings: None, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, variable: str, value: str
) -> None:
    for name in ("LOCAL_DIR", "STATE_DIR", "LOG_DIR"):
        monkeypatch.setenv(f"EMBSEARCH_{name}", str(tmp_path / name.lower()))
    check_own(served_settings(Settings()))
    monkeypatch.setenv(variable, value)
    done = CliRunner().invoke(app, ["demo-faiss"])
    assert done.exit_code == 1
    assert f"{variable}={value} is not of the stack that `make up` starts" in done.output
    assert f"Unset {variable} for the demo." in done.output
    assert not (tmp_path / "local_dir").exists()


def test_types_without_that_which_it_looks_at_are_refused(
    bare_settings: None, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("LOCAL_DIR", "STATE_DIR", "LOG_DIR"):
        monkeypatch.setenv(f"EMBSEARCH_{name}", str(tmp_path / name.lower()))
    done = CliRunner().invoke(app, ["demo-faiss", "--types", "artist,album_name"])
    assert done.exit_code == 1
    assert "--types artist,album_name lacks it" in done.output
