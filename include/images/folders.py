"""Where the image indexes are: a folder for each type, of V2 by its name, of V1 beside it."""

from __future__ import annotations

from pathlib import Path

from include.faiss_index.versions import IndexFolder
from include.images.parameters import Edition
from include.settings import Settings

MISSING = "missing_images.jsonl"


def index_folder(image_type: str, settings: Settings, edition: Edition = "v2") -> IndexFolder:
    """The versions of one image index."""
    name = image_type if edition == "v2" else f"v1_{image_type}"
    contents = f"the {image_type} images" + (" of V1" if edition == "v1" else "")
    return IndexFolder(images_folder(settings) / name, name, keep=settings.faiss_keep_versions, contents=contents)


def images_folder(settings: Settings) -> Path:
    """That of all image indexes."""
    return settings.state_dir / "images"
