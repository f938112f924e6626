"""Which versions of image models must stay loaded: those that a served image index was made with."""

from __future__ import annotations

import logging

from include.errors import EmbsearchError
from include.images.folders import images_folder
from include.images.sources import Sources
from include.settings import Settings

log = logging.getLogger(__name__)


def image_fingerprints(settings: Settings) -> frozenset[str] | None:
    """The models that the served image indexes were made with; ``None`` when one does not tell, which is warned of."""
    found = set()
    for pointer in images_folder(settings).glob("*/CURRENT"):
        try:
            name = pointer.read_text(encoding="utf-8").strip()
            found.add(Sources.read(pointer.parent / "versions" / name).fingerprint)
        except (OSError, EmbsearchError) as error:
            log.warning("Which model %s needs is not known, so all that are loaded stay: %s", pointer.parent, error)
            return None
    return frozenset(found)
