"""A type without images: that is no failure, but what is served is taken away only when somebody says so."""

from __future__ import annotations

import logging

from include.errors import InputError
from include.faiss_index.storage import storage_faults
from include.faiss_index.versions import CURRENT, Alone, IndexFolder
from include.generations.files import sync_folder
from include.images.parameters import ImageIndexParameters

log = logging.getLogger(__name__)

NO_IMAGES, TAKEN_AWAY = "no images", "no images left, index taken away"


def without_images(alone: Alone, image_type: str, parameters: ImageIndexParameters) -> str:
    """What becomes of an index of whose type there are no images; one word of it.

    With the parameter ``allow_empty`` no version is served or kept any more: nobody wants an earlier one back, since
    all images that it names are gone.

    Raises:
        InputError: an index is served, and nobody has said that it may go.
    """
    folder = alone.folder
    served = folder.served_name()
    if parameters.allow_empty and (served or folder.all()):
        _take_away(folder)
        log.info("%s: no images are left, so %s is served no more", image_type, served or "nothing")
        return TAKEN_AWAY
    if served:
        edition = "" if parameters.edition == "v2" else f" --edition {parameters.edition}"
        msg = (
            f"There are no {image_type} images any more, while {_told(folder, served)} is served: it stays. If they "
            "were deleted on purpose, run this again with allow_empty (in the form, in POST /index/rebuild, or by "
            f"`embsearch images build --type {image_type}{edition} --allow-empty`): then there is no index of them. "
            "Else fill the table or the folder, then run this again."
        )
        raise InputError(msg)
    log.info("%s: there are no images, and no index of them", image_type)
    return NO_IMAGES


def _told(folder: IndexFolder, served: str) -> str:
    version = folder.served_if_whole()
    return f"{served} with {version.manifest.ntotal:,} of them" if version else served


def _take_away(folder: IndexFolder) -> None:
    """The pointer first: a version that nothing names is found by nobody, and the next run removes it."""
    with storage_faults(folder.root / CURRENT):
        (folder.root / CURRENT).unlink(missing_ok=True)
        sync_folder(folder.root)
    for name in folder.all():
        folder.remove(name)
