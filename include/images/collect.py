"""All images of an index with their vectors, in the order of the ids, gathered page by page in a folder.

Vectors of unchanged images are taken from what is known, the others are read and embedded. An interrupted build leaves
its folder behind, and the next one takes from it what is still right. Memory is bounded by a page and a few images.
"""

from __future__ import annotations

import json
import logging
import shutil
from collections import Counter, deque
from collections.abc import Iterable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import ExitStack
from dataclasses import dataclass, field
from pathlib import Path
from typing import TextIO

import numpy as np
from numpy.typing import NDArray

from include.errors import AccessDenied
from include.faiss_index.storage import storage_faults
from include.generations.counts import Counts
from include.generations.files import replacing
from include.images.collected import Collected, CollectedWriter
from include.images.embedding import ImageEmbedder
from include.images.known import Known, first_found
from include.images.originals import BROKEN, DENIED, Original, Originals, Unusable
from include.images.row import ImageRow

log = logging.getLogger(__name__)

AT_ONCE, AT_ONCE_BYTES = 256, 48 << 20  # images in one call of the embedder
LOOKED_AT_TOGETHER = 32  # images in one task of a thread
COLLECTING = "collecting-"
TOLD, EXAMPLES = 20, 3

Vector = NDArray[np.float32]


@dataclass
class Tally:
    """What became of the images so far."""

    read: int = 0
    reused: int = 0
    embedded: int = 0
    unusable: Counter[str] = field(default_factory=Counter)
    examples: list[int] = field(default_factory=list)

    def counts(self, image_type: str) -> Counts:
        """Added up.

        Raises:
            ContractError: they do not add up.
        """
        return Counts(self.read, self.reused + self.embedded, dict(self.unusable)).check(f"{image_type} images")


class Collector:
    """Gathers the images of one index; use it once, within :func:`collecting_folder`."""

    def __init__(
        self, originals: Originals, embedder: ImageEmbedder, known: Sequence[Known], *, readers: int, report: Path
    ) -> None:
        """``report`` is replaced by a line of JSON for each image that cannot be used, once all have been seen."""
        self._originals, self._embedder, self._known = originals, embedder, known
        self._readers, self._report = readers, report
        self.tally = Tally()

    def collect(self, pages: Iterable[list[ImageRow]], folder: Path) -> Collected:
        """Gather what ``pages`` bring, by ascending id, in ``folder``.

        Raises:
            AccessDenied: the store lets nothing of the first page be read.
            ServiceUnavailable: Triton, the database or the store does not answer.
            SetupError: no space is left.
        """
        for left in self._report.parent.glob(f".{self._report.name}.*.tmp"):  # by a process that died: we are alone
            left.unlink(missing_ok=True)
        with ExitStack() as stack:
            pool = stack.enter_context(ThreadPoolExecutor(self._readers, "image"))
            writer = stack.enter_context(CollectedWriter.open(folder, self._embedder.spec.dimension))
            temporary = stack.enter_context(replacing(self._report))
            report = stack.enter_context(temporary.open("w", encoding="utf-8"))
            for page in pages:
                self._page(page, pool, writer, report)
            return writer.finished()

    def _page(self, page: list[ImageRow], pool: ThreadPoolExecutor, writer: CollectedWriter, report: TextIO) -> None:
        found = self._looked(page, pool)
        if not self.tally.read:
            _check_rights(found)
        vectors: dict[int, Vector] = {}
        todo: list[tuple[int, Original]] = []
        for place, (row, original) in enumerate(zip(page, found, strict=True)):
            if isinstance(original, Original):
                vector = first_found(self._known, row.image_id, original.mark)
                if vector is None:
                    todo.append((place, original))
                else:
                    vectors[place] = vector
        self.tally.read += len(page)
        self.tally.reused += len(vectors)
        for place, answer in self._embedded(todo, pool):
            if isinstance(answer, Unusable):
                found[place] = answer
            else:
                vectors[place] = answer
                self.tally.embedded += 1
        for row, original in zip(page, found, strict=True):
            if isinstance(original, Unusable):
                self._set_aside(row, original, report)
        kept = sorted(vectors)
        marks = [original.mark for original in (found[place] for place in kept) if isinstance(original, Original)]
        writer.add([page[place] for place in kept], marks, [vectors[place] for place in kept])
        if todo:
            log.info("%d images seen, %d embedded", self.tally.read, self.tally.embedded)

    def _looked(self, page: list[ImageRow], pool: ThreadPoolExecutor) -> list[Original | Unusable]:
        """In slices: a task for each image costs three times as much as the look at a local file."""
        size = max(1, min(LOOKED_AT_TOGETHER, -(-len(page) // self._readers)))
        slices = [page[start : start + size] for start in range(0, len(page), size)]
        return [each for looked in pool.map(self._look, slices) for each in looked]

    def _look(self, rows: list[ImageRow]) -> list[Original | Unusable]:
        return [self._originals.look(row) for row in rows]

    def _embedded(
        self, todo: Sequence[tuple[int, Original]], pool: ThreadPoolExecutor
    ) -> Iterator[tuple[int, Vector | Unusable]]:
        """The vector of each image, or why it has none. While some are embedded the next ones are read."""
        places: list[tuple[int, Original]] = []
        images: list[bytes] = []
        for (place, original), data in self._read(todo, pool):
            if isinstance(data, Unusable):
                yield place, data
                continue
            places.append((place, original))
            images.append(data)
            if len(images) >= AT_ONCE or sum(map(len, images)) >= AT_ONCE_BYTES:
                yield from self._answers(places, images)
                places, images = [], []
        yield from self._answers(places, images)

    def _answers(
        self, places: Sequence[tuple[int, Original]], images: Sequence[bytes]
    ) -> Iterator[tuple[int, Vector | Unusable]]:
        vectors, bad = self._embedder.embed_each(images)
        for number, (place, original) in enumerate(places):
            yield place, Unusable(original.address, BROKEN, bad[number]) if number in bad else vectors[number]

    def _read(
        self, todo: Sequence[tuple[int, Original]], pool: ThreadPoolExecutor
    ) -> Iterator[tuple[tuple[int, Original], bytes | Unusable]]:
        """In order, only so many ahead as there are readers."""
        ahead: deque[tuple[tuple[int, Original], Future[bytes | Unusable]]] = deque()
        for each in todo:
            ahead.append((each, pool.submit(self._originals.read, each[1])))
            if len(ahead) > self._readers:
                which, reading = ahead.popleft()
                yield which, reading.result()
        while ahead:
            which, reading = ahead.popleft()
            yield which, reading.result()

    def _set_aside(self, row: ImageRow, why: Unusable, report: TextIO) -> None:
        tally = self.tally
        if tally.unusable.total() < TOLD:
            log.warning("image %d is left out: %s (%s)", row.image_id, why.reason, why.detail)
        tally.unusable[why.reason] += 1
        tally.examples = [*tally.examples, row.image_id][:EXAMPLES]
        line = {"image_id": row.image_id, "address": why.address, "reason": why.reason, "detail": why.detail}
        with storage_faults(self._report):
            report.write(json.dumps(line, ensure_ascii=False) + "\n")


def _check_rights(first: Sequence[Original | Unusable]) -> None:
    """Raise ``AccessDenied`` when of a first page nothing may be read: it is the key that is wrong, not the images."""
    refused = [each for each in first if isinstance(each, Unusable) and each.reason == DENIED]
    if refused and len(refused) == len(first):
        raise AccessDenied(refused[0].detail)


def remains(root: Path) -> list[Path]:
    """The folders that interrupted builds left below ``root``, oldest first."""
    return sorted(root.glob(f"{COLLECTING}*"), key=lambda path: int(path.name.removeprefix(COLLECTING)))


def collecting_folder(root: Path) -> Path:
    """A new folder to collect in, which the next build takes over when this one is interrupted."""
    left = remains(root)
    number = int(left[-1].name.removeprefix(COLLECTING)) + 1 if left else 1
    folder = root / f"{COLLECTING}{number}"
    with storage_faults(folder):
        folder.mkdir(parents=True)
    return folder


def forget(root: Path, *, but: Path | None = None) -> None:
    """Take away what was collected: it is in a version now, or in the folder ``but``, or of no use."""
    for folder in remains(root):
        if folder != but:
            shutil.rmtree(folder, ignore_errors=True)
            if folder.exists():
                log.warning("%s could not be deleted; nothing needs it: delete it by hand", folder)
