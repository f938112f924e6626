"""What every command shares: a log file for the run, errors as one sentence, and a key to resume by."""

from __future__ import annotations

import errno
import logging
import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path

import typer

from include.errors import EmbsearchError, FatalError
from include.generations.names import run_key
from include.generations.run import Run
from include.local_stack.endings import ended_like_ctrl_c
from include.parameters import Parameters
from include.settings import Settings
from include.settings.unknown import unknown_settings

FAILED, TRY_AGAIN, INTERRUPTED = 1, 75, 130  # 75 is sysexits' EX_TEMPFAIL
NO_ROOM = (errno.ENOSPC, errno.EDQUOT)
NO_RIGHT = (errno.EACCES, errno.EPERM, errno.EROFS)

_LIBRARIES = ("elastic_transport", "elasticsearch", "httpx", "httpcore", "urllib3", "qdrant_client")


@contextmanager
def command_session(command: str, settings: Settings, *, job: str = "") -> Iterator[Path]:
    """Log to the terminal and to ``logs/<command>/<command>_<time>_<pid>.log``; turn failures into an exit status.

    The runs of a ``job`` share a file a day, as is documented of those over MySQL: ``logs/<job>/<job>_<YYYYMMDD>.log``.

    Ctrl-C, `kill` and a closed terminal end a command in the same way.
    """
    now = datetime.now()  # noqa: DTZ005 — local time
    folder, name = (job, f"{job}_{now:%Y%m%d}") if job else (command, f"{command}_{now:%Y%m%d_%H%M%S}_{os.getpid()}")
    log_file = settings.log_dir / folder / f"{name}.log"
    try:
        _log_to(log_file)
        for told in unknown_settings(os.environ):
            logging.getLogger(__name__).warning("%s", told)
        with ended_like_ctrl_c():
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
    except Exception as error:
        logging.getLogger(__name__).debug("failed", exc_info=True)
        if not isinstance(error, OSError) or not (said := _of_the_machine(error, settings)):
            raise  # the terminal gets it from Python
        typer.secho(f"{command}: {said}", fg=typer.colors.RED, err=True)
        raise typer.Exit(FAILED) from error


def _of_the_machine(error: OSError, settings: Settings) -> str:
    """What to do about a full disk or a missing right; empty for what may be a defect of ours."""
    if error.errno in NO_ROOM:
        where = error.filename or f"{settings.state_dir} or {settings.log_dir}"
        return f"no room left on the disk of {where}. Free some space, then run the same command again."
    if error.errno in NO_RIGHT and error.filename:
        return f"{error.filename}: {error.strerror}. Change the rights of it or of its folder, or give another path."
    return ""


class _LogFile(logging.FileHandler):
    """Says nothing of a full disk: the command itself does, once, and not with every line."""

    def handleError(self, record: logging.LogRecord) -> None:  # noqa: N802 — logging's name
        error = sys.exc_info()[1]
        if not isinstance(error, OSError) or error.errno not in NO_ROOM:
            super().handleError(record)


def _log_to(log_file: Path) -> None:
    log_file.parent.mkdir(parents=True, exist_ok=True)
    in_file = _LogFile(log_file, encoding="utf-8")
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


def command_run(command: str, parameters: Parameters) -> Run:
    """The run that this command line means: repeated after an interruption it is the same, once finished a new one."""
    return Run(run_key("command", command, parameters.model_dump_json()), datetime.now(UTC), repeats=False)
