"""A served version whose bytes have changed is found, and the newest whole version before it is served instead."""

from __future__ import annotations

import logging
from dataclasses import dataclass

from include.errors import ContractError, InputError
from include.faiss_index.version import Version
from include.faiss_index.versions import Alone, IndexFolder

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Repair:
    """What was found and done."""

    damaged: tuple[str, ...]  # versions that were taken away, the served one first
    reason: str
    served: str  # now


def repair(folder: IndexFolder) -> Repair | None:
    """Check every byte of the served version; if it is damaged, serve the newest whole one before it.

    Returns:
        ``None`` when the served version is whole, or nothing is served yet.

    Raises:
        Busy: another process is changing something here.
        ContractError: no version is whole.
    """
    with folder.alone("repair") as alone:
        return repair_alone(alone)


def repair_alone(alone: Alone) -> Repair | None:
    """The same for who has the right to change the index already."""
    folder = alone.folder
    name = folder.served_name()
    reason = _damage(folder, name) if name else None
    if name is None or reason is None:
        return None
    damaged = [name]
    log.error("%s serves %s, which is damaged: %s", folder.alias, name, reason)
    for older in _candidates(folder, name):
        if (found := _damage(folder, older)) is None:
            folder.promote(folder.version(older), backup=False)
            for each in damaged:
                folder.withdraw(each)
            log.error("%s serves %s again; %s was removed", folder.alias, older, ", ".join(damaged))
            return Repair(tuple(damaged), reason, older)
        log.error("%s is damaged too: %s", older, found)
        damaged.append(older)
    left = f" Rolled back from: {', '.join(folder.left())}." if folder.left() else ""
    msg = f"{reason} No other version of {folder.alias} before it is whole.{left} Run faiss_rebuild."
    raise ContractError(msg)


def _candidates(folder: IndexFolder, served: str) -> list[str]:
    """The parent first, then the others before the served one, newest first; none that was rolled back from."""
    good = [name for name in reversed(folder.all()) if name < served and name not in folder.left()]
    parent = _parent(folder, served)
    return sorted(good, key=lambda name: name != parent)


def _parent(folder: IndexFolder, name: str) -> str | None:
    try:
        return folder.version(name).manifest.parent
    except (ContractError, InputError):
        return None


def _damage(folder: IndexFolder, name: str) -> str | None:
    """What is wrong with version ``name``; ``None`` when it is whole."""
    try:
        version: Version = folder.version(name)
        version.check()
    except (ContractError, InputError) as error:
        return str(error)
    return None
