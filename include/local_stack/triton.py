"""Triton Inference Server from the PyPI wheel ``nvidia-pytriton``, as a service of the local stack.

The wheel holds the server, its Python backend and a stub for each Python version, but not in the places where the
server looks for them: a folder with three symbolic links mends that, and nothing inside the environment is touched.
"""

from __future__ import annotations

import json
import subprocess
from dataclasses import dataclass
from pathlib import Path

from include.errors import SetupError
from include.local_stack.probe import answers
from include.local_stack.service import Service

ADDRESS = "127.0.0.1"
STUB = "triton_python_backend_stub"

# Asked of the environment's own interpreter: its libpython and its stub are what the server must find, not ours.
_ASK = """
import importlib.util, json, sys, sysconfig
spec = importlib.util.find_spec("pytriton")
print(json.dumps({
    "prefix": sys.prefix,
    "version": "%d.%d" % sys.version_info[:2],
    "library_folder": sysconfig.get_config_var("LIBDIR") or "",
    "library": sysconfig.get_config_var("INSTSONAME") or "",
    "multiarch": sysconfig.get_config_var("MULTIARCH") or "",
    "package": spec.origin if spec else "",
}))
"""


@dataclass(frozen=True)
class Ports:
    """Where the server listens, all on 127.0.0.1."""

    http: int
    grpc: int
    metrics: int


@dataclass(frozen=True)
class Installation:
    """Where the parts of the wheel and of its Python are."""

    prefix: Path  # of the virtual environment
    library_folder: Path  # holds libpython
    server: Path  # <site-packages>/pytriton/tritonserver
    libraries: Path  # <site-packages>/nvidia_pytriton.libs
    stub: Path
    torch: Path  # where runtime `packed` finds torch: several GB that the export environment has already


def find_installation(interpreter: Path) -> Installation:
    """Ask ``interpreter``, the Triton environment's Python, where its server is.

    Raises:
        SetupError: the environment, the wheel, the stub for this Python, or the shared libpython is missing.
    """
    try:
        answer = subprocess.run([interpreter, "-c", _ASK], check=True, capture_output=True, text=True, timeout=60)
    except (OSError, subprocess.SubprocessError) as error:
        msg = f"{interpreter} does not run ({error}). Remove its environment and run `make up` to install it again."
        raise SetupError(msg) from error
    facts: dict[str, str] = json.loads(answer.stdout)
    if not facts["package"]:
        msg = f"{interpreter} has no nvidia-pytriton. Install requirements/triton.txt there; `make up` does."
        raise SetupError(msg)
    package = Path(facts["package"]).parent
    server = package / "tritonserver"
    stub = server / "python_backend_stubs" / facts["version"] / STUB
    if not stub.is_file():
        available = ", ".join(sorted(path.name for path in stub.parent.parent.glob("*"))) or "none"
        msg = (
            f"nvidia-pytriton has no Python backend for Python {facts['version']} (it has: {available}). "
            f"Make {facts['prefix']} with Python 3.11 or 3.12."
        )
        raise SetupError(msg)
    return Installation(
        prefix=Path(facts["prefix"]),
        library_folder=_library_folder(facts),
        server=server,
        libraries=package.parent / "nvidia_pytriton.libs",
        stub=stub,
        torch=Path(facts["prefix"]).parent / "export" / "lib" / f"python{facts['version']}" / "site-packages",
    )


def _library_folder(facts: dict[str, str]) -> Path:
    folder = Path(facts["library_folder"])
    for candidate in (folder, folder / facts["multiarch"]):
        if (
            facts["library"].startswith("libpython")
            and ".so" in facts["library"]
            and (candidate / facts["library"]).exists()
        ):
            return candidate
    msg = (
        f"The Python under {facts['prefix']} has no shared library libpython{facts['version']}.so in {folder}, which "
        f"Triton's Python backend needs. Use a Python built with --enable-shared (on Debian and Ubuntu install the "
        f"package libpython{facts['version']}; `uv python install {facts['version']}` brings one too)."
    )
    raise SetupError(msg)


def link_backends(installation: Installation, folder: Path) -> Path:
    """Make ``folder`` a backend directory: three symbolic links, replaced at each start."""
    python = folder / "python"
    python.mkdir(parents=True, exist_ok=True)
    backend = installation.server / "backends" / "python"
    for source in (backend / "libtriton_python.so", backend / "triton_python_backend_utils.py", installation.stub):
        link = python / source.name
        link.unlink(missing_ok=True)
        link.symlink_to(source)
    return folder


def service(*, interpreter: Path, repository: Path, ports: Ports, run_folder: Path, log: Path) -> Service:
    """The server over ``repository``; a start or a restart serves every model that was served before.

    Raises:
        SetupError: something of the installation is missing.
    """
    installation = find_installation(interpreter)
    repository.mkdir(parents=True, exist_ok=True)
    backends = link_backends(installation, run_folder / "backends")
    return Service(
        name="triton",
        command=(str(installation.server / "bin" / "tritonserver"), *_options(repository, backends, ports)),
        ready=lambda: answers(f"http://{ADDRESS}:{ports.http}/v2/health/live"),
        ports=(ports.http, ports.grpc, ports.metrics),
        log=log,
        env={
            "LD_LIBRARY_PATH": f"{installation.libraries}:{installation.library_folder}",
            # The stub finds its packages by the `python` on the path; it ignores PYTHONPATH.
            "PATH": f"{installation.prefix / 'bin'}:/usr/local/bin:/usr/bin:/bin",
            "PYTHONDONTWRITEBYTECODE": "1",
            "PYTHONHOME": "",
            "EMBSEARCH_TORCH_PATH": str(installation.torch),
        },
        folder=run_folder,
    )


def _options(repository: Path, backends: Path, ports: Ports) -> tuple[str, ...]:
    return (
        f"--model-repository={repository}",
        f"--backend-directory={backends}",
        "--model-control-mode=explicit",
        "--load-model=*",  # at start: what the repository's config.pbtxt files pin is what was served
        "--exit-on-error=false",  # one bad model must not take the others away
        f"--http-address={ADDRESS}",
        f"--http-port={ports.http}",
        "--http-thread-count=16",  # a GPU answers as many clients at once
        f"--grpc-address={ADDRESS}",
        f"--grpc-port={ports.grpc}",
        f"--metrics-address={ADDRESS}",
        f"--metrics-port={ports.metrics}",
        f"--backend-config=python,shm-region-prefix-name=embsearch_{ports.http}_",
        "--allow-gpu-metrics=false",
        "--log-format=ISO8601",
        "--exit-timeout-secs=10",
    )
