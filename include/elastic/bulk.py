"""Bulk writing: documents in, exact counts out, whatever the server does meanwhile.

What may succeed later is sent again with growing random waits; a request that is too much for the server is halved;
what cannot succeed becomes a dead letter. Bodies are built once as NDJSON bytes and sent by two threads, which reached
46–79 thousand small documents a second where ``async_bulk`` in batches of 64 reached 9–14 thousand.
"""

from __future__ import annotations

import threading
from collections import Counter, deque
from collections.abc import Iterable, Iterator, Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, cast

from elastic_transport import TransportError
from elasticsearch import ApiError, Elasticsearch

from include.elastic.bulk_items import Entry, Outcome, Unsendable, encode, never_fits, operation, outcome
from include.elastic.dead_letter import DeadLetter
from include.elastic.dead_letters import LetterBox
from include.elastic.documents import Document
from include.elastic.errors import hosts_of, meaning, reason_in, reason_of, translated
from include.elastic.pace import BatchLimits, Outage, Pace, Patience
from include.errors import AccessDenied, InputError, TransientError

FULL_BATCH = BatchLimits(documents=5000, bytes=5_000_000)
DEADLINE_SECONDS = 300.0
OLDER = "older"
UNSENDABLE_AT_ONCE = 500  # dead letters written together


@dataclass(frozen=True)
class BulkCounts:
    """What became of the documents given: their number is the sum of all fields."""

    indexed: int = 0
    skipped: Mapping[str, int] = field(default_factory=dict)  # reason → documents; "older": a newer version stands
    dead: int = 0

    def __add__(self, other: BulkCounts) -> BulkCounts:
        skipped = Counter(self.skipped) + Counter(other.skipped)
        return BulkCounts(self.indexed + other.indexed, dict(skipped), self.dead + other.dead)

    @property
    def given(self) -> int:
        """All documents."""
        return self.indexed + sum(self.skipped.values()) + self.dead


@dataclass(frozen=True)
class _Part:
    """Documents that travel in one request, and how often they did."""

    entries: Sequence[Entry]
    attempts: int = 0

    def halves(self) -> list[_Part]:
        middle = len(self.entries) // 2
        return [_Part(half, self.attempts + 1) for half in (self.entries[middle:], self.entries[:middle])]


class BulkWriter:
    """Writes documents into one index, from any number of threads; at most ``in_flight`` requests at once in all.

    With ``version``, a document that stands with a higher one is left as it is and counted as skipped. With ``refresh``
    each batch can be searched when it is counted. Documents of one call should have different ids: which of two equal
    ones wins is open.

    Raises:
        InputError: the index does not exist; it is never created with a guessed mapping.
    """

    def __init__(
        self,
        client: Elasticsearch,
        index: str,
        *,
        run_id: str,
        dead_letters: Path,
        version: int | None = None,
        refresh: bool = False,
        in_flight: int = 2,
        full_batch: BatchLimits = FULL_BATCH,
        deadline_seconds: float = DEADLINE_SECONDS,
    ) -> None:
        with translated(client, f"look for index {index} (right view_index_metadata)"):
            if not client.indices.exists(index=index):
                msg = f"Elasticsearch at {hosts_of(client)} has no index {index!r}. Create it before writing."
                raise InputError(msg)
        self._client, self.index, self._run = client, index, run_id
        self._letters = LetterBox(dead_letters, run_id)
        self._version, self._refresh = version, refresh
        self._in_flight, self._slots = in_flight, threading.BoundedSemaphore(in_flight)
        self._pace, self._outage = Pace(full_batch), Outage()
        self._deadline_seconds = deadline_seconds

    def write(self, documents: Iterable[Document]) -> BulkCounts:
        """Write all documents; memory holds ``in_flight`` batches however many there are.

        Raises:
            ServiceUnavailable: nothing went well for ``deadline_seconds``; what was written stays, and writing all
                again does no harm.
            AccessDenied: the login may not write this index.
        """
        dead: list[DeadLetter] = []
        total = BulkCounts()
        stop = threading.Event()
        with ThreadPoolExecutor(self._in_flight, thread_name_prefix="bulk") as pool:
            try:
                flying: deque[Future[BulkCounts]] = deque()
                for part in self._parts(documents, dead):
                    if len(flying) == self._in_flight:
                        total += flying.popleft().result()
                    flying.append(pool.submit(self._send, part, stop))
                    total += self._bury(dead, at_least=UNSENDABLE_AT_ONCE)
                total = sum((future.result() for future in flying), start=total)
            except BaseException:
                stop.set()  # else leaving the pool waits until the last batch has lost its patience
                raise
        return total + self._bury(dead)

    def _parts(self, documents: Iterable[Document], dead: list[DeadLetter]) -> Iterator[_Part]:
        """Cut the stream into batches; what cannot be sent goes to ``dead``."""
        entries: list[Entry] = []
        size, limits = 0, self._pace.limits()
        for document in documents:
            try:
                entry = encode(document, self._version)
            except Unsendable as refusal:
                dead.append(self._letter(document, refusal.kind, refusal.reason, status=None, attempts=0))
                continue
            if entries and (len(entries) >= limits.documents or size + len(entry.lines) > limits.bytes):
                yield _Part(entries)
                entries, size, limits = [], 0, self._pace.limits()
            entries.append(entry)
            size += len(entry.lines)
        if entries:
            yield _Part(entries)

    def _send(self, batch: _Part, stop: threading.Event) -> BulkCounts:
        """Send a batch until each of its documents is indexed, skipped or dead."""
        counts = BulkCounts()
        patience = Patience(self._deadline_seconds, stop, self._outage)
        parts = [batch]
        while parts:
            part = parts.pop()
            try:
                answers = self._request(part)
            except (ApiError, TransportError) as error:
                done, again = self._refused(part, error, patience)
            else:
                self._pace.grow()
                done, again = self._settle(part, answers, patience)
            counts += done
            parts += again
        return counts

    def _request(self, part: _Part) -> list[dict[str, Any]]:
        body = b"".join(entry.lines for entry in part.entries)
        with self._slots:
            answer = self._client.bulk(
                operations=cast(Any, body),  # taken as it is; a sequence would be encoded again
                index=self.index,
                refresh=self._refresh,
                filter_path="items.*.status,items.*.error",
            )
        return [item["index"] for item in answer["items"]]

    def _refused(
        self, part: _Part, error: ApiError | TransportError, patience: Patience
    ) -> tuple[BulkCounts, list[_Part]]:
        """A whole request failed: halve what is too much or holds a bad document, send again what may pass."""
        status = error.meta.status if isinstance(error, ApiError) else None
        if status in {413, 429}:
            self._pace.shrink()
        kind, reason = reason_of(error) if isinstance(error, ApiError) else ("", "")
        alone = len(part.entries) == 1
        if status in {400, 413} or (status == 429 and alone and never_fits(reason)):
            if not alone:
                return BulkCounts(), part.halves()
            letter = self._letter(part.entries[0].document, kind, reason, status=status, attempts=part.attempts + 1)
            return self._bury([letter]), []
        problem = meaning(error, f"write to {self.index}", hosts_of(self._client))
        if not isinstance(problem, TransientError):
            raise problem from error
        patience.wait(str(problem))
        if status == 429 and len(part.entries) > 1:
            return BulkCounts(), part.halves()
        return BulkCounts(), [_Part(part.entries, part.attempts + 1)]

    def _settle(
        self, part: _Part, answers: Sequence[dict[str, Any]], patience: Patience
    ) -> tuple[BulkCounts, list[_Part]]:
        """Judge each item of an answer."""
        found: dict[Outcome, list[tuple[Entry, dict[str, Any]]]] = {kind: [] for kind in Outcome}
        for entry, answer in zip(part.entries, answers, strict=True):
            judged = outcome(answer)
            if judged is Outcome.LATER and len(part.entries) == 1 and never_fits(reason_in(answer)[1]):
                judged = Outcome.DEAD
            found[judged].append((entry, answer))
        if denied := found[Outcome.DENIED]:
            _, reason = reason_in(denied[0][1])
            msg = f"Elasticsearch at {hosts_of(self._client)}: no right to write to {self.index}: {reason}. Grant it."
            raise AccessDenied(msg)
        dead = [
            self._letter(entry.document, *reason_in(answer), status=answer["status"], attempts=part.attempts + 1)
            for entry, answer in found[Outcome.DEAD]
        ]
        older = len(found[Outcome.OLDER])
        counts = BulkCounts(len(found[Outcome.INDEXED]), {OLDER: older} if older else {}) + self._bury(dead)
        if counts.given:
            patience.progressed()
        later = found[Outcome.LATER]
        if not later:
            return counts, []
        kind, reason = reason_in(later[0][1])
        patience.wait(f"{len(later)} documents of {self.index} are refused for now ({kind}: {reason})")
        left = _Part([entry for entry, _ in later], part.attempts)
        if len(later) > 1 and any(answer["status"] == 429 for _, answer in later):
            self._pace.shrink()
            return counts, left.halves()
        return counts, [_Part(left.entries, left.attempts + 1)]

    def _letter(self, document: Document, kind: str, reason: str, *, status: int | None, attempts: int) -> DeadLetter:
        return DeadLetter(
            time=datetime.now(UTC).isoformat(timespec="milliseconds"),
            run=self._run,
            index=self.index,
            operation=operation(document.id, self._version),
            document=document.source,
            error={"type": kind, "reason": reason},
            status=status,
            attempts=attempts,
        )

    def _bury(self, letters: list[DeadLetter], *, at_least: int = 1) -> BulkCounts:
        """Write the letters, when there are enough of them, and empty the list."""
        if len(letters) < at_least:
            return BulkCounts()
        self._letters.append(letters)
        counts = BulkCounts(dead=len(letters))
        letters.clear()
        return counts
