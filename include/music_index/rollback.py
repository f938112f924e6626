"""An earlier version of an index type is served again."""

from __future__ import annotations

import json
import logging
from pathlib import Path
from typing import Any

from include.catalog.index_types import IndexType
from include.errors import EmbsearchError
from include.faiss_index.storage import storage_faults
from include.faiss_index.versions import IndexFolder
from include.generations.files import write_json
from include.generations.run import Run
from include.music_index.folders import index_folder
from include.music_index.parameters import FaissRollbackParameters
from include.music_index.summary import PUBLISHED, shape
from include.settings import Settings

log = logging.getLogger(__name__)


def rollback(kind: IndexType, parameters: FaissRollbackParameters, run: Run, settings: Settings) -> dict[str, Any]:
    """Serve the version that is asked for, or the one that the served version was made from.

    Where it leads is decided once a run: a retry or a cleared task goes to the same version, also when it is served
    already. The next increment goes on from there: it brings in again all that has changed since that version.

    Raises:
        InputError: there is no such version, or none before.
        ContractError: its files are damaged, so the served one stays.
        Busy: another process is changing this index.
    """
    folder = index_folder(kind, settings)
    decided = settings.state_dir / "rollbacks" / f"{run.key}-{kind.name}.json"
    with folder.alone("faiss_rollback") as alone:
        plan = _plan(folder, decided, parameters.version, run)
        try:
            if folder.served_name() == plan["to"]:
                log.info("%s serves %s already", kind.name, plan["to"])
                version = folder.version(plan["to"])
            else:
                version = alone.roll_back(plan["to"])
        except EmbsearchError:
            _forget(decided, run)
            raise
    _forget(decided, run)
    served = {"type": kind.name, "outcome": PUBLISHED, "version": version.name, "instead_of": plan["from"]}
    return served | shape(version.manifest)


def _plan(folder: IndexFolder, decided: Path, asked: str, run: Run) -> dict[str, Any]:
    """From which version to which, as the run decided first."""
    served = folder.served_name()
    with storage_faults(decided):
        if decided.is_file():
            plan: dict[str, Any] = json.loads(decided.read_text(encoding="utf-8"))
            if run.repeats or served in plan.values():
                return plan
    plan = {"from": served, "to": asked or folder.before()}
    with storage_faults(decided):
        write_json(decided, plan)
    return plan


def _forget(decided: Path, run: Run) -> None:
    """A command that has ended means another roll back when it is given again; a run is always the same."""
    if not run.repeats:
        with storage_faults(decided):
            decided.unlink(missing_ok=True)
