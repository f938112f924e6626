"""What a machine without the needed tools is told, before anything is installed."""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path

import pytest

from include.settings import PROJECT_ROOT

SCRIPT = PROJECT_ROOT / "requirements" / "bootstrap.sh"
TOOLS = ("sh", "cmp", "cp", "rm")


@pytest.fixture
def machine(tmp_path: Path) -> Path:
    """A project folder, and a PATH with nothing but the plainest tools."""
    tools = tmp_path / "bin"
    tools.mkdir()
    for name in TOOLS:
        (tools / name).symlink_to(str(shutil.which(name)))
    (tmp_path / "requirements").mkdir()
    (tmp_path / "requirements" / "bootstrap.txt").write_text("no-such-package==1.0 --hash=sha256:00\n")
    return tmp_path


def program(machine: Path, name: str, text: str) -> None:
    path = machine / "bin" / name
    path.write_text(f"#!/bin/sh\n{text}\n")
    path.chmod(0o755)


def said(machine: Path) -> list[str]:
    environment = {"PATH": str(machine / "bin"), "HOME": str(machine)}
    done = subprocess.run(
        ["sh", str(SCRIPT)], cwd=machine, env=environment, capture_output=True, text=True, check=False
    )
    assert done.returncode == 1
    return done.stderr.splitlines()


def test_without_a_fitting_python_it_says_which_and_how_to_name_one(machine: Path) -> None:
    program(machine, "python3", "exit 1")
    (message,) = said(machine)
    assert message.startswith("Python 3.11 or 3.12 is needed")
    assert "make PYTHON=/path/to/python3.12" in message


def test_a_python_without_venv_is_told_with_the_package_that_brings_it(machine: Path) -> None:
    fits = 'case "$2" in *ensurepip*) exit 1;; *print*) echo 3.12;; esac'
    program(machine, "python3", fits)
    (message,) = said(machine)
    assert "apt install python3.12-venv" in message


def test_a_failed_download_says_that_pip_says_why_and_to_run_it_again(machine: Path) -> None:
    program(machine, "python3", "")
    (machine / ".local" / "bootstrap" / "bin").mkdir(parents=True)
    program(machine / ".local" / "bootstrap", "python", 'case "$*" in *install*) echo "no network" >&2; exit 1;; esac')
    assert said(machine) == [
        "no network",
        "uv could not be installed: pip says why above. Once mended, run the same command again.",
    ]
    assert not (machine / ".local" / "bootstrap" / "installed.txt").exists()
