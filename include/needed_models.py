"""Which versions of models must stay loaded: every room whose indexes were made by one is asked."""

from __future__ import annotations

from include.elastic.linked_keywords import linked_keywords
from include.images.served_models import image_fingerprints
from include.settings import Settings
from include.triton.beside import needed_fingerprints


def needed_models(settings: Settings) -> frozenset[str] | None:
    """The fingerprints that served collections and links, builds under way and image indexes were made with.

    ``None`` when one of them does not tell, which is warned of: then all that are loaded stay.
    """
    linked, images = linked_keywords(settings), image_fingerprints(settings)
    found = needed_fingerprints(settings, linked=linked or frozenset())
    return None if found is None or images is None or linked is None else found | images
