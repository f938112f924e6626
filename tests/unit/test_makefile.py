"""The front door: what `make help` promises is there, and says what it does."""

from __future__ import annotations

import re
import shutil
import subprocess
from pathlib import Path

import pytest

from include.settings import PROJECT_ROOT

TARGETS = re.findall(r"^([a-z-]+):", (PROJECT_ROOT / "Makefile").read_text(encoding="utf-8"), re.MULTILINE)
DOCUMENTED = {"demo", "demo-faiss", "demo-images", "test", "help", "up", "status", "logs", "down", "bench"}


def make(*words: str) -> str:
    return subprocess.run(
        ["make", "--no-print-directory", *words], cwd=PROJECT_ROOT, capture_output=True, text=True, check=True
    ).stdout


def test_help_lists_every_target_with_what_it_does() -> None:
    listed = dict(re.findall(r"^  make ([a-z-]+) {2,}(\S.{9,})$", make("help"), re.MULTILINE))
    assert set(listed) == set(TARGETS)
    assert set(listed) >= DOCUMENTED


def test_make_alone_is_help() -> None:
    assert make() == make("help")


def test_every_target_runs_even_where_a_file_has_its_name() -> None:
    text = (PROJECT_ROOT / "Makefile").read_text(encoding="utf-8")
    assert set(re.search(r"^\.PHONY: (.*)$", text, re.MULTILINE)[1].split()) == set(TARGETS)  # type: ignore[index]


def test_test_checks_everything() -> None:
    planned = make("--dry-run", "test")
    assert all(f"pytest tests/{part}" in planned for part in ("unit", "dags", "integration"))
    assert all(
        tool in planned for tool in ("ruff check", "ruff format --check", "mypy include plugins", "lint-imports")
    )


def test_clean_stops_the_stack_and_removes_its_data_wherever_they_are() -> None:
    planned = make("--dry-run", "clean", "FORCE=1")
    steps = [planned.rindex(step) for step in ("embsearch stack down", "embsearch stack clean", "rm -rf .local")]
    assert steps == sorted(steps)


@pytest.mark.parametrize(("target", "status"), [("status", 2), ("logs", 2), ("down", 0)])
def test_looking_at_what_was_never_installed_installs_nothing(tmp_path: Path, target: str, status: int) -> None:
    shutil.copy(PROJECT_ROOT / "Makefile", tmp_path)
    done = subprocess.run(["make", target], cwd=tmp_path, capture_output=True, text=True, check=False)
    assert done.returncode == status
    assert "Nothing is installed, so nothing runs" in done.stdout
    assert [path.name for path in tmp_path.iterdir()] == ["Makefile"]
