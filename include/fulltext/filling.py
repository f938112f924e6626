"""One pass over the input: what is new or changed goes to the index, all else is counted."""

from __future__ import annotations

import itertools
import logging
import random
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field

from elasticsearch import Elasticsearch

from include.elastic.bulk import OLDER
from include.elastic.documents import Document
from include.elastic.ledger import Ledger, key_of
from include.fulltext.collection import Standing, standing
from include.fulltext.documents import Found, SetAside, SourceDocument
from include.fulltext.entries import EntryMaker, TooLarge, as_kept

log = logging.getLogger(__name__)

TOGETHER = 256  # documents that are looked up in one request
LOOKED_UP_CHARACTERS = 4_000_000  # or fewer, when they are long
SAMPLE = 50
SAMPLED_CHARACTERS = 200_000  # of one document at most: a longer one is not read back
TOLD = 10  # set aside, in the log
EMPTY, TOO_LARGE, DUPLICATE, UNCHANGED = "empty", "too_large", "duplicate", "unchanged"


@dataclass
class Filling:
    """Reads the documents that ``read`` gives and tells which entries are to be written into ``index``."""

    read: Callable[[], Iterator[Found]]
    maker: EntryMaker
    client: Elasticsearch
    index: str
    version: int  # of the run
    ledger: Ledger
    max_bytes: int
    documents: int = 0  # read
    skipped: Counter[str] = field(default_factory=Counter)
    seen: set[bytes] = field(default_factory=set)  # keys of all that the input has
    spoken: set[bytes] = field(default_factory=set)  # of those whose state this run has settled
    emptied: list[str] = field(default_factory=list)  # ids that stand in the index and have no text any more
    set_aside: list[SetAside] = field(default_factory=list)
    sample: list[Document] = field(default_factory=list)
    told: int = 0  # of those set aside
    sent: int = 0
    chunks: int = 0  # of what was sent

    def entries(self) -> Iterator[Document]:
        """The entries to write; the counts are whole when they are used up."""
        self.documents, self.told, self.sent, self.chunks, self.skipped = 0, 0, 0, 0, Counter()
        for kept in (self.seen, self.spoken, self.emptied, self.set_aside, self.sample):
            kept.clear()
        choose = random.Random(self.index)  # noqa: S311 — a sample, not a secret
        for batch in _batches(self._usable()):
            yield from self._changed(batch, choose)

    def _usable(self) -> Iterator[SourceDocument]:
        """Each document once, without those that cannot be indexed."""
        for found in self.read():
            self.documents += 1
            key = key_of(found.id)
            if isinstance(found, SetAside):
                if not found.passed_over:  # the text of manual.pdf may stand beside it, with that id
                    self.seen.add(key)
                self._put_aside(found)
            elif key in self.seen:
                self._put_aside(SetAside(found.id, DUPLICATE, "another document before it has this id"))
            elif len(found.text) * 4 > self.max_bytes and len(found.text.encode("utf-8")) > self.max_bytes:
                self.seen.add(key)
                self._put_aside(SetAside(found.id, TOO_LARGE, f"its text has more than {self.max_bytes:,} bytes"))
            else:
                self.seen.add(key)
                yield found

    def _changed(self, batch: list[SourceDocument], choose: random.Random) -> Iterator[Document]:
        there = standing(self.client, self.index, [document.id for document in batch])
        newer = self.ledger.newer([key_of(document.id) for document in batch], self.version)
        for document in batch:
            key, stands = key_of(document.id), there.get(document.id)
            if key in newer or (stands and stands.version > self.version):
                self.skipped[OLDER] += 1
                continue
            self.spoken.add(key)
            if not document.text.strip():
                self._skip_empty(document, stands)
                continue
            digest = self.maker.content_hash(document)
            if stands and stands.content_hash == digest:
                self.skipped[UNCHANGED] += 1
                continue
            try:
                entry = self.maker.entry(document, digest)
            except TooLarge as error:
                self.spoken.discard(key)
                self._put_aside(SetAside(document.id, TOO_LARGE, str(error)))
                continue
            if len(document.text) <= SAMPLED_CHARACTERS:
                self._keep_sample(entry, choose)
            self.chunks += len(entry.source["chunks"])
            yield entry

    def _skip_empty(self, document: SourceDocument, stands: Standing | None) -> None:
        log.info("%s: No content to index, so it is skipped", document.id)
        self.skipped[EMPTY] += 1
        if stands:
            self.emptied.append(document.id)

    def _keep_sample(self, entry: Document, choose: random.Random) -> None:
        """Each has the same chance to be read back in the end."""
        self.sent += 1
        if len(self.sample) < SAMPLE:
            self.sample.append(as_kept(entry))
        elif (place := choose.randrange(self.sent)) < SAMPLE:
            self.sample[place] = as_kept(entry)

    def _put_aside(self, found: SetAside) -> None:
        self.skipped[found.reason] += 1
        self.set_aside.append(found)
        self.told += not found.passed_over
        if not found.passed_over and self.told <= TOLD:
            log.warning("%s is set aside (%s): %s", found.id, found.reason, found.detail)


def _batches(documents: Iterator[SourceDocument]) -> Iterator[list[SourceDocument]]:
    while first := next(documents, None):
        batch, characters = [first], len(first.text)
        if characters < LOOKED_UP_CHARACTERS:
            for document in itertools.islice(documents, TOGETHER - 1):
                batch.append(document)
                characters += len(document.text)
                if characters >= LOOKED_UP_CHARACTERS:
                    break
        yield batch
