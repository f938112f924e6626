"""Which versions of models must stay loaded: every room whose indexes were made by one is asked."""

from __future__ import annotations

from include.images.served_models import image_fingerprints
from include.settings import Settings
from include.triton.beside import needed_fingerprints


def needed_models(settings: Settings) -> frozenset[str] | None:
    """The fingerprints that served collections, builds under way and image indexes were made with.

    ``None`` when one of them does not tell, which is warned of: then all that are loaded stay.
    """
    found, images = needed_fingerprints(settings), image_fingerprints(settings)
    return None if found is None or images is None else found | images
