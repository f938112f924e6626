"""Where an index type's files are."""

from __future__ import annotations

from pathlib import Path

from include.catalog.index_types import IndexType
from include.faiss_index.published import PublishedFiles
from include.faiss_index.versions import IndexFolder
from include.settings import PROJECT_ROOT, Settings

BAD_ROWS = "bad_rows.jsonl"


def index_folder(kind: IndexType, settings: Settings, output: str = "") -> IndexFolder:
    """The versions of ``kind``; ``output`` is a folder to publish to besides, from the next version on."""
    return IndexFolder(
        settings.state_dir / "faiss" / kind.name,
        kind.name,
        PublishedFiles(settings.faiss_published_folder, kind.file),
        keep=settings.faiss_keep_versions,
        output=PROJECT_ROOT / output if output else None,
    )


def training_folder(kind: IndexType, settings: Settings, given: str = "") -> Path:
    """Where the training of ``kind`` is kept, below ``given`` or else with its versions."""
    return PROJECT_ROOT / given / kind.name if given else index_folder(kind, settings).root
