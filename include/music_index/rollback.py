"""An earlier version of an index type is served again."""

from __future__ import annotations

from typing import Any

from include.catalog.index_types import IndexType
from include.generations.run import Run
from include.music_index.folders import index_folder
from include.music_index.parameters import FaissRollbackParameters
from include.music_index.summary import PUBLISHED, shape
from include.settings import Settings


def rollback(kind: IndexType, parameters: FaissRollbackParameters, _run: Run, settings: Settings) -> dict[str, Any]:
    """Serve the version that is asked for, or the one that the served version was made from.

    The next increment goes on from there: it brings in again all that has changed since that version.

    Raises:
        InputError: there is no such version, or none before.
        ContractError: its files are damaged, so the served one stays.
        Busy: another process is changing this index.
    """
    folder = index_folder(kind, settings)
    before = folder.served_name()
    version = folder.roll_back(parameters.version or None)
    served = {"type": kind.name, "outcome": PUBLISHED, "version": version.name, "instead_of": before}
    return served | shape(version.manifest)
