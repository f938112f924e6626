"""How versions of an index type are checked, by the settings."""

from __future__ import annotations

from include.catalog.index_types import IndexType
from include.faiss_index.assembly import Options
from include.faiss_index.verify import Floors
from include.settings import Settings


def options(kind: IndexType, settings: Settings, min_share: float, *, force: bool = False) -> Options:
    """Floors of ``kind``, threads, how much smaller a version may be, and whether its recall may be unknown."""
    floors = dict(part.split("=") for part in settings.faiss_recall_floors.split(",") if part)
    floor = float(floors[kind.name]) if kind.name in floors else None
    return Options(Floors(recall_at_10=floor), settings.faiss_threads, min_share, force)
