"""When an environment is installed; a recorder stands in for uv, which the installation itself exercises."""

from __future__ import annotations

import shutil
import subprocess
import sys
from pathlib import Path

import psutil
import pytest

from include.errors import SetupError
from include.local_stack import environments
from include.local_stack.environments import ensure_in, find_libpython_interpreter
from include.settings import PROJECT_ROOT

UV = """#!/bin/sh
echo "$1 $2" >> "{calls}"
echo "$UV_SYSTEM_CERTS" > "{certificates}"
[ -e "{broken}" ] && {{ echo "No solution: the network is down" >&2; exit 2; }}
if [ "$1" = venv ]; then
    for target; do :; done
    mkdir -p "$target/bin" && ln -sf {python} "$target/bin/python"
fi
exit 0
"""


class Project:
    """A project folder with locks and a uv that records how it is called."""

    def __init__(self, folder: Path) -> None:
        self.folder, self.venvs = folder, folder / ".local" / "venvs"
        self.recorded, self.broken = folder.parent / "calls", folder.parent / "broken"
        self.certificates = folder.parent / "certificates"
        (folder / "requirements").mkdir(parents=True)
        for lock in ("requirements.txt", "requirements/dev.txt", "requirements/triton.txt"):
            (folder / lock).write_text("first\n")
        uv = folder / ".local" / "bootstrap" / "bin" / "uv"
        uv.parent.mkdir(parents=True)
        uv.write_text(UV.format(**vars(self), calls=self.recorded, python=sys.executable))
        uv.chmod(0o755)

    def calls(self) -> list[str]:
        """What uv was asked for since the last time."""
        found = self.recorded.read_text().splitlines() if self.recorded.exists() else []
        self.recorded.unlink(missing_ok=True)
        return [call.partition(" --")[0] for call in found]


@pytest.fixture
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Project:
    project = Project(tmp_path / "my project")
    monkeypatch.setattr(environments, "PROJECT_ROOT", project.folder)
    return project


def test_first_call_installs_and_the_second_does_nothing(project: Project) -> None:
    interpreter = ensure_in(project.venvs, "airflow")
    assert interpreter.exists()
    assert project.calls() == ["venv", "pip sync", "pip install"]
    assert ensure_in(project.venvs, "airflow") == interpreter
    assert project.calls() == []


@pytest.mark.parametrize(("given", "trusted"), [(None, "1"), ("0", "0")])
def test_the_machine_s_certificates_are_trusted_unless_somebody_says_otherwise(
    project: Project, monkeypatch: pytest.MonkeyPatch, given: str | None, trusted: str
) -> None:
    monkeypatch.delenv("UV_SYSTEM_CERTS", raising=False)
    if given is not None:
        monkeypatch.setenv("UV_SYSTEM_CERTS", given)
    ensure_in(project.venvs, "triton")
    assert project.certificates.read_text().strip() == trusted


def test_a_changed_lock_is_synchronised_in_place(project: Project) -> None:
    ensure_in(project.venvs, "triton")
    project.calls()
    (project.folder / "requirements" / "triton.txt").write_text("second\n")
    ensure_in(project.venvs, "triton")
    assert project.calls() == ["pip sync"]


def test_test_tools_once_added_stay(project: Project) -> None:
    ensure_in(project.venvs, "airflow", dev=True)
    project.calls()
    ensure_in(project.venvs, "airflow")
    assert project.calls() == []
    (project.folder / "requirements" / "dev.txt").write_text("second\n")
    ensure_in(project.venvs, "airflow")
    assert project.calls() == ["pip sync", "pip install"]


def test_an_interrupted_installation_is_mended(project: Project) -> None:
    ensure_in(project.venvs, "airflow")
    (project.folder / "requirements.txt").write_text("second\n")
    project.broken.touch()
    with pytest.raises(SetupError, match=r"(?s)Could not install environment airflow.*network is down"):
        ensure_in(project.venvs, "airflow")
    (project.folder / "requirements.txt").write_text("first\n")  # what the stamp before the interruption said
    project.broken.unlink()
    project.calls()
    ensure_in(project.venvs, "airflow")
    assert project.calls() == ["pip sync", "pip install"]


def test_a_moved_project_makes_its_environment_anew(project: Project, monkeypatch: pytest.MonkeyPatch) -> None:
    ensure_in(project.venvs, "triton")
    project.calls()
    moved = project.folder.with_name("moved")
    project.folder.rename(moved)
    monkeypatch.setattr(environments, "PROJECT_ROOT", moved)
    ensure_in(moved / ".local" / "venvs", "triton")
    assert project.calls() == ["venv", "pip sync"]


def test_an_environment_whose_python_is_gone_is_made_anew(project: Project) -> None:
    interpreter = ensure_in(project.venvs, "triton")
    project.calls()
    interpreter.unlink()
    interpreter.symlink_to("/nowhere/python3")
    ensure_in(project.venvs, "triton")
    assert project.calls() == ["venv", "pip sync"]


def test_too_little_space_is_said_before_anything_is_installed(
    project: Project, monkeypatch: pytest.MonkeyPatch
) -> None:
    usage = shutil.disk_usage("/")._replace(free=300_000_000)
    monkeypatch.setattr(shutil, "disk_usage", lambda _path: usage)
    with pytest.raises(SetupError, match=r"needs up to 1\.5 GB, and .* has 0\.3 GB free"):
        ensure_in(project.venvs, "airflow")
    assert project.calls() == []


def test_what_is_killed_while_installing_ends_uv_too_and_says_how_to_go_on(project: Project) -> None:
    uv = project.folder / ".local" / "bootstrap" / "bin" / "uv"
    uv.write_text("#!/bin/sh\necho $$ >&2\nexec sleep 300\n")
    code = (
        "import sys; from pathlib import Path; from include.local_stack import environments;"
        f"environments.PROJECT_ROOT = Path({str(project.folder)!r}); sys.argv = ['', 'airflow'];"
        "environments._passed_on = lambda lines: (print(line, flush=True) or line for line in lines);"
        "sys.exit(environments.main())"
    )
    install = subprocess.Popen(
        [sys.executable, "-c", code], cwd=PROJECT_ROOT, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    )
    assert install.stdout is not None
    uv_pid = int(install.stdout.readline())
    install.terminate()
    _, said = install.communicate(timeout=20)
    assert install.returncode == 130
    assert "Interrupted. The same command goes on where this one stopped." in said
    assert not psutil.pid_exists(uv_pid)


def test_without_uv_the_message_says_what_to_run(project: Project) -> None:
    (project.folder / ".local" / "bootstrap" / "bin" / "uv").unlink()
    with pytest.raises(SetupError, match="make install"):
        ensure_in(project.venvs, "airflow")


def test_a_python_for_triton_has_its_shared_library() -> None:
    found = find_libpython_interpreter()
    code = "import ctypes, sysconfig; v = sysconfig.get_config_var; ctypes.CDLL(v('LIBDIR') + '/' + v('INSTSONAME'))"
    subprocess.run([found, "-c", code], check=True)
