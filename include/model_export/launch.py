"""Export from the Airflow environment: run the export in its own interpreter, and pass its log on as it comes."""

from __future__ import annotations

import logging
import subprocess
import sys
import tempfile
from collections import deque
from pathlib import Path

from include.catalog.models import ModelSpec, get_model
from include.errors import FatalError, GateFailed, InputError, ServiceUnavailable
from include.generations.files import write_json
from include.local_stack.environments import ensure
from include.model_export.__main__ import FATAL, TRANSIENT
from include.model_export.manifest import Precision
from include.model_export.request import ExportRequest
from include.settings import PROJECT_ROOT, Settings

log = logging.getLogger(__name__)

AS_CHILD = PROJECT_ROOT / "include" / "local_stack" / "as_child.py"
STOP_SECONDS = 5.0
LAST_LINES = 15


def exported_folder(model: str, settings: Settings, *, precision: Precision = "fp32", fuse: bool = False) -> Path:
    """Where the present catalogue's export of ``model`` stands, or would.

    Raises:
        InputError: the catalogue has no such model.
    """
    return _request(model, settings, precision, fuse=fuse).folder


def export_model(
    model: str, settings: Settings, *, precision: Precision = "fp32", fuse: bool = False, force: bool = False
) -> Path:
    """Export ``model`` unless it stands already; return its folder.

    The export environment, several GB, is installed only when there is something to export.

    Raises:
        GateFailed: the graph does not give the source model's vectors.
        InputError: the catalogue has no such model, or its source cannot be found.
        ServiceUnavailable: the source cannot be downloaded now.
    """
    request = _request(model, settings, precision, fuse=fuse)
    if not force and request.finished():
        log.info("%s is exported already: %s", model, request.folder)
        return request.folder
    interpreter = ensure(settings, "export")
    command = [str(interpreter), "-m", "include.model_export", "--spec", _entry(request.spec)]
    command += ["--root", str(request.root), "--precision", precision]
    _run(model, command + ["--fuse"] * fuse + ["--force"] * force)
    return request.folder


def _request(model: str, settings: Settings, precision: Precision, *, fuse: bool) -> ExportRequest:
    return ExportRequest(get_model(model, settings), settings.state_dir / "models", precision, fuse)


def _entry(spec: ModelSpec) -> str:
    """The catalogue's entry as it was written: what is left to a default stays left to it."""
    return spec.model_dump_json(exclude_unset=True)


def _run(model: str, command: list[str]) -> None:
    """Run the export to its end, or to the end of this process."""
    end: deque[str] = deque(maxlen=LAST_LINES)
    with tempfile.TemporaryDirectory(prefix="embsearch-export-") as scratch:
        program = Path(scratch) / "program.json"
        environment = {"PYTHONPATH": str(PROJECT_ROOT), "PYTHONUNBUFFERED": "1"}
        write_json(program, {"command": command, "env": environment, "uid": None, "stop_seconds": STOP_SECONDS})
        with subprocess.Popen(
            [sys.executable, str(AS_CHILD), str(program)],
            cwd=PROJECT_ROOT,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            errors="replace",
        ) as process:
            try:
                for line in process.stdout or ():
                    end.append(line)
                    log.info("%s", line.rstrip())
            except BaseException:
                process.terminate()
                raise
    if process.returncode:
        raise _error(model, process.returncode, "".join(end).strip())


def _error(model: str, status: int, end: str) -> Exception:
    """The error that the export itself raised, by its exit status and its last words."""
    if status == TRANSIENT:
        return ServiceUnavailable(f"The export of {model} cannot run now. {end}")
    if status == FATAL:
        kind = GateFailed if "GateFailed:" in end else InputError
        return kind(end.rpartition("ERROR ")[2].partition(": ")[2] or end)
    return FatalError(f"The export of {model} ended with status {status}. {end}")
