"""Temporary images: recorded while nobody deletes what they name."""

from __future__ import annotations

from datetime import datetime
from typing import TYPE_CHECKING

from include.errors import Busy, InputError, ServiceUnavailable
from include.images.first_version import is_file_of_v1
from include.objects.locations import Allowed, Location, NotAllowed
from include.objects.store import ObjectMissing

if TYPE_CHECKING:
    from include.images.api.contract import RegisterRequest
    from include.images.api.serving import Serving

ANSWER_SECONDS = 5.0  # that a caller waits for the database
LOCK_SECONDS = 3  # of these, for whoever registers or deletes the same image now


def register(asked: RegisterRequest, serving: Serving) -> tuple[int, datetime]:
    """Record a temporary image; return its id, and since when it is recorded.

    Raises:
        NotAllowed: it lies outside of the stores of temporary images.
        ObjectMissing: it is not there, or was deleted just now.
        InputError: it cannot be a temporary image, or there is no such product or defect.
        Busy: the same image is being registered or deleted.
        ServiceUnavailable: the database or the store does not answer.
    """
    from include.images.database import ImageDatabase, NotRegistered  # noqa: PLC0415 — takes half a second to import

    url, settings = _allowed_url(asked.storage_url, serving), serving.settings
    try:
        with (
            ImageDatabase.from_settings(settings, retry_seconds=0, answer_seconds=ANSWER_SECONDS) as database,
            database.alone_with([url], wait_seconds=LOCK_SECONDS) as alone,
        ):
            if not alone:
                raise Busy(f"{url} is being registered or deleted by somebody else. Try again in some seconds.")
            serving.store.stat(url)  # again: until the lock was ours a clean-up may have deleted it
            own = database.register(url, asked.product_code, asked.defect_code, image_type=asked.image_type)
            return own, database.registered_at(own)
    except (NotRegistered, ObjectMissing):
        raise
    except InputError as error:  # of the database itself: no fault of the caller's, nor for the caller to read
        raise ServiceUnavailable(str(error)) from error


def _allowed_url(address: str, serving: Serving) -> str:
    """The URL of what is there and may be deleted after a day."""
    place, settings = Location.of(address), serving.settings
    url = place.url
    serving.store.stat(url)  # allowed, and there
    if not Allowed.temporary(settings).covers(place):
        msg = (
            f"{url} is outside of the stores of temporary images (EMBSEARCH_IMAGES_TEMPORARY_STORES): what is "
            "registered is deleted after a day."
        )
        raise NotAllowed(msg)
    if is_file_of_v1(url, settings):
        raise InputError(f"{url} is an image of V1: it would be deleted after a day.")
    return url
