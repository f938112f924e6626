"""The project's Python environments, made by uv from locks with hashes.

Their pins exclude each other, hence three of them. ``python -m include.local_stack.environments airflow`` makes the
first, before any package is there: this module needs the standard library alone.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import logging
import os
import shutil
import subprocess
import sys
import sysconfig
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from include.errors import EmbsearchError, SetupError
from include.generations.locks import locked
from include.local_stack.endings import ended_like_ctrl_c

if TYPE_CHECKING:
    from include.settings import Settings

logger = logging.getLogger(__name__)

PROJECT_ROOT = Path(__file__).resolve().parent.parent.parent
DEV_LOCK = "requirements/dev.txt"
WAIT_SECONDS = 1800.0  # for another process that is installing the same
GB = 10**9

# Asked of an interpreter: prints its path when it can be embedded.
_HAS_LIBPYTHON = """
import pathlib, sys, sysconfig
name = sysconfig.get_config_var("INSTSONAME") or ""
folder = pathlib.Path(sysconfig.get_config_var("LIBDIR") or "")
folders = (folder, folder / (sysconfig.get_config_var("MULTIARCH") or ""))
if (3, 11) <= sys.version_info[:2] < (3, 13) and ".so" in name and any((each / name).exists() for each in folders):
    print(sys.executable)
"""


@dataclass(frozen=True)
class Environment:
    """What an environment is made of."""

    purpose: str
    lock: str  # relative to the project's root
    size: int  # bytes on disk, downloads included: measured, then rounded up
    needs_libpython: bool = False  # Triton's Python backend embeds Python
    holds_project: bool = False  # `embsearch` and `import include` work in it


ENVIRONMENTS = {
    "airflow": Environment("Airflow and the commands", "requirements.txt", size=3 * GB // 2, holds_project=True),
    "triton": Environment("the model server", "requirements/triton.txt", size=GB, needs_libpython=True),
    "export": Environment("torch, which exports models", "requirements/export.txt", size=12 * GB),
}


def ensure(settings: Settings, name: str) -> Path:
    """The interpreter of environment ``name``, installed first where that is needed.

    Raises:
        SetupError: it cannot be installed; the message says why.
        Busy: another process has been installing it for half an hour.
    """
    return ensure_in(settings.environments_dir, name)


def ensure_in(folder: Path, name: str, *, dev: bool = False) -> Path:
    """As :func:`ensure`, below ``folder``; ``dev`` adds the tools that tests and linters need, for good."""
    environment, target = ENVIRONMENTS[name], folder / name
    interpreter = target / "bin" / "python"
    if _is_current(target, _locks(environment, target, dev=dev)):
        return interpreter
    with locked(folder / f"{name}.lock", purpose=f"installing environment {name}", wait_seconds=WAIT_SECONDS):
        locks = _locks(environment, target, dev=dev)
        if not _is_current(target, locks):
            _install(name, target, locks)
    return interpreter


def _locks(environment: Environment, target: Path, *, dev: bool) -> dict[str, str]:
    """The locks to install and their sha256; tools once added are kept."""
    names = [environment.lock, *([DEV_LOCK] if dev or DEV_LOCK in _stamp(target).get("locks", {}) else [])]
    return {name: hashlib.sha256((PROJECT_ROOT / name).read_bytes()).hexdigest() for name in names}


def _is_current(target: Path, locks: dict[str, str]) -> bool:
    expected = {"locks": locks, "folder": str(target), "project": str(PROJECT_ROOT)}
    return _stamp(target) == expected and (target / "bin" / "python").exists()


def _stamp(target: Path) -> dict[str, Any]:
    try:
        stamp = json.loads((target / "installed.json").read_text())
    except (FileNotFoundError, ValueError):
        return {}
    return stamp if isinstance(stamp, dict) else {}


def _install(name: str, target: Path, locks: dict[str, str]) -> None:
    """Make the environment equal to its locks; an interrupted or moved one has no fitting stamp and is mended."""
    environment = ENVIRONMENTS[name]
    moved = _stamp(target).get("folder") not in (None, str(target))
    (target / "installed.json").unlink(missing_ok=True)
    if moved or not (target / "bin" / "python").exists():
        _check_space(name, target, environment.size)
        size, purpose = _readable(environment.size), environment.purpose
        logger.info("Installing environment %s (%s): up to %s with its downloads, once.", name, purpose, size)
        python = find_libpython_interpreter() if environment.needs_libpython else _base_interpreter()
        _uv("venv", "--clear", "--python", python, str(target), to=f"make environment {name}")
    else:
        logger.info("Updating environment %s: its lock has changed or its last installation was interrupted.", name)
    packages = ["pip", "sync", "--require-hashes", "--python", str(target / "bin" / "python")]
    _uv(*packages, *(str(PROJECT_ROOT / lock) for lock in locks), to=f"install environment {name}")
    if environment.holds_project:
        _install_project(target)
    stamp = {"locks": locks, "folder": str(target), "project": str(PROJECT_ROOT)}
    partial = target / "installed.json.part"
    partial.write_text(json.dumps(stamp))
    partial.replace(target / "installed.json")


def _install_project(target: Path) -> None:
    """Editable, from what is there: no network, and setuptools from the lock."""
    options = ["--no-deps", "--no-build-isolation", "--no-index", "--python", str(target / "bin" / "python")]
    _uv("pip", "install", *options, "--editable", str(PROJECT_ROOT), to="install the project itself")


def find_libpython_interpreter() -> str:
    """A Python 3.11 or 3.12 with a shared libpython: the one at hand, another on the path, else one that uv brings."""
    for candidate in (_base_interpreter(), "python3.11", "python3.12", "python3"):
        try:
            answer = subprocess.run(
                [candidate, "-c", _HAS_LIBPYTHON], capture_output=True, text=True, timeout=30, check=True
            )
        except (OSError, subprocess.SubprocessError):
            continue
        if found := answer.stdout.strip():
            return found
    logger.info("No Python here has a shared libpython, which Triton needs: taking one from uv (about 30 MB).")
    version = f"{sys.version_info.major}.{sys.version_info.minor}"
    _uv(
        "python",
        "install",
        version,
        to=f"get a Python {version} with libpython (or install package libpython{version})",
    )
    return _uv("python", "find", "--managed-python", version, to="find uv's Python").strip()


def _base_interpreter() -> str:
    """The interpreter that this one's environment was made of."""
    return str(getattr(sys, "_base_executable", None) or Path(sysconfig.get_config_var("BINDIR")) / "python3")


def _check_space(name: str, target: Path, needed: int) -> None:
    existing = next(folder for folder in target.parents if folder.exists())
    free = shutil.disk_usage(existing).free
    if free < needed:
        msg = (
            f"Environment {name} needs up to {_readable(needed)}, and {existing} has {_readable(free)} free. "
            "Free some space, or make .local a symbolic link to a folder on a larger disk."
        )
        raise SetupError(msg)


def _uv(*arguments: str, to: str) -> str:
    """Run uv, passing on its progress but not its list of packages; return what it printed."""
    uv = PROJECT_ROOT / ".local" / "bootstrap" / "bin" / "uv"
    if not uv.exists():
        msg = f"{uv} is missing. Run `make install`, which brings it."
        raise SetupError(msg)
    with subprocess.Popen(
        [uv, *arguments], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, env=_environment()
    ) as process:
        try:
            said = list(_passed_on(process.stderr or ()))
            printed = process.stdout.read() if process.stdout else ""
        except BaseException:
            process.terminate()  # it may not have heard what ends this process
            process.wait()
            raise
    if process.returncode != 0:
        msg = f"Could not {to}. uv said:\n{''.join(said[-15:]).rstrip()}\nOnce mended, run the same command again."
        raise SetupError(msg)
    return printed


def _passed_on(lines: Iterable[str]) -> Iterator[str]:
    for line in lines:
        if line.lstrip().startswith(("Downloading", "Prepared", "Installed", "Building")):
            logger.info("  %s", line.strip())
        yield line


def _environment() -> dict[str, str]:
    """This process's environment; who told pip of a mirror need not tell uv again.

    Like pip, uv trusts the certificates of this machine, a company's own among them.
    """
    environment = {"UV_SYSTEM_CERTS": "1", **os.environ}
    for pip_name, uv_name in (("PIP_INDEX_URL", "UV_DEFAULT_INDEX"), ("PIP_EXTRA_INDEX_URL", "UV_INDEX")):
        if pip_name in environment:
            environment.setdefault(uv_name, environment[pip_name])
    return environment


def _readable(size: int) -> str:
    return f"{size / GB:.1f} GB"


def main() -> int:
    """Install one environment from the command line, with the standard library alone."""
    parser = argparse.ArgumentParser(description="Install one of the project's Python environments from its lock.")
    parser.add_argument("name", choices=ENVIRONMENTS)
    parser.add_argument("--dev", action="store_true", help="with the tools that tests and linters need")
    options = parser.parse_args()
    logging.basicConfig(level=logging.INFO, format="%(message)s", stream=sys.stderr)
    try:
        with ended_like_ctrl_c():
            ensure_in(PROJECT_ROOT / ".local" / "venvs", options.name, dev=options.dev)
    except EmbsearchError as error:
        logger.error("%s", error)  # noqa: TRY400 — the sentence is for the user; the traceback would hide it
        return 1
    except KeyboardInterrupt:
        logger.error("Interrupted. The same command goes on where this one stopped.")  # noqa: TRY400 — not an error
        return 130
    return 0


if __name__ == "__main__":
    sys.exit(main())
