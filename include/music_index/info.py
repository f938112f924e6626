"""What is known of an index type: the served version, its shape and quality, what else is kept, whether it is whole."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

from include.catalog.index_types import IndexType
from include.errors import ContractError
from include.faiss_index.version import Version
from include.faiss_index.versions import IndexFolder
from include.generations.run import Run
from include.music_index.folders import index_folder
from include.music_index.parameters import FaissInfoParameters
from include.music_index.summary import shape, told_drift
from include.settings import Settings


def info(kind: IndexType, parameters: FaissInfoParameters, _run: Run, settings: Settings) -> dict[str, Any]:
    """Figures of the served index; ``served`` is None before the first, ``damage`` says what is wrong, if anything."""
    folder = index_folder(kind, settings)
    served = folder.served_name()
    found: dict[str, Any] = {"type": kind.name, "served": served, "versions": folder.all(), "damage": None}
    if served is None:
        return found
    try:
        version = folder.current()
        if version is None:
            return found
        found |= _facts(kind, folder, version)
        if parameters.check:
            version.check()
    except ContractError as error:
        found["damage"] = str(error)
    return found


def _facts(kind: IndexType, folder: IndexFolder, version: Version) -> dict[str, Any]:
    manifest = version.manifest
    index = version.open(check=False, mapped=manifest.recipe.kind != "flat").index
    published = folder.published.served if folder.published else None
    return {
        **shape(manifest),
        "key": manifest.recipe.key,
        "nlist": getattr(index, "nlist", 0),
        "nprobe": getattr(index, "nprobe", 0),
        "is_trained": bool(index.is_trained),
        "ntotal": int(index.ntotal),
        "d": int(index.d),
        "parent": manifest.parent,
        "made": manifest.made,
        "age_hours": round((datetime.now(UTC) - manifest.made_at).total_seconds() / 3600, 1),
        "trained_at": manifest.training.at.isoformat(timespec="seconds"),
        "drift": told_drift(kind.name, manifest)["alerts"],
        "file": str(published) if published else None,
        "mb": round(sum(entry.bytes for entry in manifest.files.values()) / 1e6, 1),
    }
