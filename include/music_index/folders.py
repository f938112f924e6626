"""Where an index type's files are."""

from __future__ import annotations

from pathlib import Path

from include.catalog.index_types import IndexType
from include.faiss_index.published import PublishedFiles
from include.faiss_index.versions import IndexFolder
from include.settings import Settings
from include.sources.roots import check_input, check_output

BAD_ROWS = "bad_rows.jsonl"


def index_folder(kind: IndexType, settings: Settings, output: str = "") -> IndexFolder:
    """The versions of ``kind``; ``output`` is a folder to publish to besides, from the next version on.

    Raises:
        NotAllowed: runs may not write to ``output``.
    """
    return IndexFolder(
        settings.state_dir / "faiss" / kind.name,
        kind.name,
        PublishedFiles(settings.faiss_published_folder, kind.file),
        keep=settings.faiss_keep_versions,
        output=check_output(output) if output else None,
    )


def training_input(kind: IndexType, settings: Settings, given: str = "") -> Path:
    """Where the training of ``kind`` is, below ``given`` or else with its versions.

    Raises:
        NotAllowed: runs may not read there.
    """
    return check_input(Path(given) / kind.name) if given else index_folder(kind, settings).root


def training_output(kind: IndexType, settings: Settings, given: str = "") -> Path:
    """Where to keep the training of ``kind``, below ``given`` or else with its versions.

    Raises:
        NotAllowed: runs may not write there.
    """
    return check_output(Path(given) / kind.name) if given else index_folder(kind, settings).root
