"""The files and objects of images: which one counts, whether it has changed, and its bytes."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass

from include.errors import AccessDenied, InputError
from include.images.pictures import PictureLimits, PictureTooLarge, check_size
from include.images.row import ImageRow
from include.objects.locations import NotAllowed
from include.objects.store import BucketMissing, ObjectMissing, ObjectStore, TooLarge

MISSING, REFUSED, DENIED, LARGE, BROKEN = "missing", "not allowed", "no right to read", "too large", "not an image"
NO_PRODUCT = "no such product"
REASONS: dict[type[Exception], str] = {
    ObjectMissing: MISSING,
    BucketMissing: MISSING,
    NotAllowed: REFUSED,
    TooLarge: LARGE,
    PictureTooLarge: LARGE,
}


@dataclass(frozen=True)
class Original:
    """Where an image's bytes are."""

    address: str
    mark: str  # changes with the address, the size and the time of change, or the ETag


@dataclass(frozen=True)
class Unusable:
    """Why an image cannot be indexed."""

    address: str
    reason: str  # one of a few words, to count by
    detail: str


@dataclass(frozen=True)
class Originals:
    """Looks up and reads images; safe from several threads.

    Raises in each method:
        ServiceUnavailable: the store does not answer, which would fail for every image alike.
    """

    store: ObjectStore
    limits: PictureLimits

    def look(self, row: ImageRow) -> Original | Unusable:
        """The local file, or where there is none the object."""
        if row.product_code is None:
            named = row.local_path or row.storage_url or ""
            return Unusable(named, NO_PRODUCT, "its product_id is not in table products")
        found: Original | Unusable = Unusable("", MISSING, "neither a path nor a URL is given")
        for address in (row.local_path, row.storage_url):
            if address:
                found = self._look(address)
            if isinstance(found, Original):
                break
        return found

    def read(self, original: Original) -> bytes | Unusable:
        """All bytes."""
        try:
            data = self.store.read(original.address, most_bytes=self.limits.most_bytes)
            check_size(data, self.limits)
        except (InputError, AccessDenied) as error:
            return _unusable(original.address, error)
        return data or Unusable(original.address, BROKEN, "the file is empty")

    def _look(self, address: str) -> Original | Unusable:
        try:
            found = self.store.stat(address)
        except (InputError, AccessDenied) as error:
            return _unusable(address, error)
        told = "\0".join((address, str(found.size), found.stamp))
        return Original(address, hashlib.sha256(told.encode("utf-8", "surrogatepass")).hexdigest()[:32])


def _unusable(address: str, error: InputError | AccessDenied) -> Unusable:
    if isinstance(error, AccessDenied):  # or, of a bucket that may not be listed, missing: S3 answers both alike
        return Unusable(address, DENIED, str(error))
    return Unusable(address, REASONS.get(type(error), REFUSED), str(error))
