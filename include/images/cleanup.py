"""Temporary images that are a day old: the object goes first, then the row, so that none is forgotten half-way.

Both go under a lock that a registration takes, too, and after another look at the row: what is registered again in the
meantime keeps its object.
"""

from __future__ import annotations

import logging
from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any

from include.errors import EmbsearchError, FatalError, TransientError
from include.generations.counts import Counts
from include.images.database import ImageDatabase, TemporaryImage
from include.images.first_version import is_file_of_v1
from include.images.parameters import ImageCleanupParameters
from include.objects.store import ObjectStore
from include.settings import Settings

log = logging.getLogger(__name__)

PAGE = 500
TOLD = 5  # failures, in the error
FAILED, IN_USE, GONE = "not deleted", "in use now", "deleted or renewed meanwhile"


@dataclass
class _Done:
    read: int = 0
    objects: Counter[str] = field(default_factory=Counter)  # deleted, gone before, still used
    left: Counter[str] = field(default_factory=Counter)  # rows that were not deleted here
    failures: dict[int, EmbsearchError] = field(default_factory=dict)

    @property
    def deleted(self) -> int:
        """Rows; each has become one of ``objects``."""
        return self.objects.total()


def clean_up(parameters: ImageCleanupParameters, now: datetime, settings: Settings) -> dict[str, Any]:
    """Delete the temporary images that were registered more than ``parameters.hours`` before ``now``.

    A ``now`` that is still to come counts as the present. An object that another image uses as well stays. One that
    cannot be deleted keeps its row for the next run.

    Raises:
        TransientError: some objects could not be deleted, in a way that may pass; all others are done.
        FatalError: some could not be deleted otherwise; all others are done.
        ServiceUnavailable: the database does not answer.
    """
    store, done = ObjectStore.from_settings(settings), _Done()
    before = min(now, datetime.now(UTC)) - timedelta(hours=parameters.hours)
    with ImageDatabase.from_settings(settings) as database:
        database.ping()
        for image in _old(database, before):
            done.read += 1
            try:
                _delete(image, before, done, database=database, store=store, settings=settings)
            except EmbsearchError as error:
                log.error("temporary image %d keeps its row: %s", image.image_id, error)  # noqa: TRY400 — says it all
                done.failures[image.image_id] = error
    left = done.left + Counter({FAILED: len(done.failures)})
    counts = Counts(done.read, done.deleted, dict(left))
    found = {"counts": counts.check("temporary images").as_dict(), "objects": dict(done.objects)}
    log.info("temporary images: %s", _told(counts, done))
    if done.failures:
        raise _failure(done)
    return found


def _old(database: ImageDatabase, before: datetime) -> Iterator[TemporaryImage]:
    last = -1
    while page := database.temporary(before, after_id=last, limit=PAGE):
        yield from page
        last = page[-1].image_id


def _delete(
    image: TemporaryImage,
    before: datetime,
    done: _Done,
    *,
    database: ImageDatabase,
    store: ObjectStore,
    settings: Settings,
) -> None:
    """Delete objects and row of one image that is looked at again, while nobody can register what lies there."""
    with database.alone_with(image.addresses) as alone:
        if not alone:
            done.left[IN_USE] += 1
        elif not database.is_old(image.image_id, before):
            done.left[GONE] += 1
        else:
            what = _delete_objects(image, database, store, settings)
            database.delete_temporary(image.image_id)
            done.objects[what] += 1


def _delete_objects(image: TemporaryImage, database: ImageDatabase, store: ObjectStore, settings: Settings) -> str:
    """Delete what the row alone points to; say what became of it."""
    used = {
        each for each in image.addresses if is_file_of_v1(each, settings) or database.is_shared(each, image.image_id)
    }
    found = [store.delete(address) for address in image.addresses if address not in used]
    return "deleted" if any(found) else "still used" if used else "gone before"


def _told(counts: Counts, done: _Done) -> str:
    return (
        f"read {counts.read:,} = deleted {counts.written:,} + kept ({_by_reason(counts.skipped)}); "
        f"objects: {_by_reason(done.objects)}"
    )


def _by_reason(found: Mapping[str, int]) -> str:
    return ", ".join(f"{count:,} {why}" for why, count in found.items()) or "none"


def _failure(done: _Done) -> EmbsearchError:
    passing = all(isinstance(error, TransientError) for error in done.failures.values())
    told = "; ".join(f"{number}: {error}" for number, error in list(done.failures.items())[:TOLD])
    kind: type[EmbsearchError] = TransientError if passing else FatalError
    return kind(
        f"{len(done.failures)} of {done.read} temporary images could not be deleted and keep their rows for the next "
        f"run, {done.deleted} are deleted. {told}"
    )
