"""What every command shares: a log file for the run, errors as one sentence, and a key to resume by."""

from __future__ import annotations

import logging
import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path

import typer

from include.errors import EmbsearchError, FatalError
from include.generations.files import sha256_of
from include.generations.names import run_key
from include.generations.run import Run
from include.parameters import Parameters
from include.settings import Settings

FAILED, TRY_AGAIN, INTERRUPTED = 1, 75, 130  # 75 is sysexits' EX_TEMPFAIL

_LIBRARIES = ("elastic_transport", "elasticsearch", "httpx", "httpcore", "urllib3", "qdrant_client")


@contextmanager
def command_session(command: str, settings: Settings) -> Iterator[Path]:
    """Log to the terminal and to ``logs/<command>/<command>_<time>_<pid>.log``; turn failures into an exit status."""
    now = datetime.now()  # noqa: DTZ005 — local time
    log_file = settings.log_dir / command / f"{command}_{now:%Y%m%d_%H%M%S}_{os.getpid()}.log"
    _log_to(log_file)
    try:
        yield log_file
    except EmbsearchError as error:
        logging.getLogger(__name__).debug("failed", exc_info=True)
        typer.secho(f"{command}: {error}", fg=typer.colors.RED, err=True)
        raise typer.Exit(FAILED if isinstance(error, FatalError) else TRY_AGAIN) from error
    except KeyboardInterrupt:
        typer.secho(f"{command}: interrupted. The same command goes on where this one stopped.", err=True)
        raise typer.Exit(INTERRUPTED) from None
    except typer.Exit:
        raise
    except Exception:
        logging.getLogger(__name__).debug("failed", exc_info=True)  # the terminal gets it from Python
        raise


def _log_to(log_file: Path) -> None:
    log_file.parent.mkdir(parents=True, exist_ok=True)
    in_file = logging.FileHandler(log_file, encoding="utf-8")
    in_file.setFormatter(logging.Formatter("%(asctime)s %(levelname)s %(name)s: %(message)s"))
    in_file.setLevel(logging.DEBUG)
    on_screen = logging.StreamHandler(sys.stderr)
    on_screen.setFormatter(logging.Formatter("%(message)s"))
    on_screen.setLevel(logging.INFO)
    root = logging.getLogger("include")
    root.handlers[:] = [in_file, on_screen]
    root.setLevel(logging.DEBUG)
    root.propagate = False
    for name in _LIBRARIES:
        logging.getLogger(name).setLevel(logging.WARNING)


def command_run(command: str, parameters: Parameters, inputs: list[Path]) -> Run:
    """The run that this command line means: repeated after an interruption it is the same, once finished a new one."""
    key = run_key("command", command, parameters.model_dump_json(), *(sha256_of(path) for path in inputs))
    return Run(key, datetime.now(UTC), repeats=False)
