"""The processes of a stack, found by a mark in their environment that every descendant inherits.

The mark outlives supervisors, process groups and parents, so it also finds what a killed stack left behind. Programs
that change their title overwrite their environment as seen from outside unless ``SPT_NOENV`` is set.
"""

from __future__ import annotations

import logging
from contextlib import suppress
from pathlib import Path

import psutil

logger = logging.getLogger(__name__)

MARK = "EMBSEARCH_STACK"
TERM_SECONDS = 10.0


def mark(run_folder: Path) -> dict[str, str]:
    """What to add to the environment of a stack's processes."""
    return {MARK: str(run_folder), "SPT_NOENV": "1"}


def members(run_folder: Path) -> list[psutil.Process]:
    """Every living process of the stack of ``run_folder``, but not this process or those above it.

    What is below a marked process belongs to it too: Airflow's workers hide their environment from their own user.
    """
    above = {process.pid for process in psutil.Process().parents()} | {psutil.Process().pid}
    found: dict[int, psutil.Process] = {}
    for process in psutil.process_iter():
        with suppress(psutil.Error, OSError):
            if process.pid not in above and process.environ().get(MARK) == str(run_folder):
                found |= {member.pid: member for member in (process, *process.children(recursive=True))}
    return [process for process in found.values() if _alive(process)]


def end_all(run_folder: Path) -> int:
    """End every process of the stack: SIGTERM, then SIGKILL until none is left; return how many there were."""
    found = members(run_folder)
    for process in found:
        with suppress(psutil.NoSuchProcess):
            process.terminate()
    psutil.wait_procs(found, timeout=TERM_SECONDS)
    # Those of the first look too: once its parent is gone, one that hides its environment is not found again.
    while left := {process for process in (*found, *members(run_folder)) if _alive(process)}:
        for process in left:
            with suppress(psutil.NoSuchProcess):
                process.kill()
        psutil.wait_procs(left, timeout=1)
    return len(found)


def _alive(process: psutil.Process) -> bool:
    with suppress(psutil.Error):
        return bool(process.status() != psutil.STATUS_ZOMBIE)
    return False
