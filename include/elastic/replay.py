"""Send dead letters again, after the cause of their death is mended."""

from __future__ import annotations

import itertools
import logging
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from elasticsearch import Elasticsearch

from include.elastic.bulk import OLDER, BulkCounts, BulkWriter
from include.elastic.connection import EsConnection, connect
from include.elastic.dead_letters import DeadLetter, LetterBox, RunLetters, inventory, read_letters
from include.elastic.documents import Document
from include.elastic.errors import translated
from include.elastic.index_generations import IndexGenerations
from include.elastic.ledger import Ledger, key_of, ledger_file
from include.elastic.locks import writing_index
from include.elastic.parameters import ReplayParameters
from include.errors import ContractError, InputError
from include.generations.locks import locked
from include.generations.names import SEPARATOR, alias_of
from include.settings import Settings

log = logging.getLogger(__name__)

RUNS_TOLD = 10
REASON_CHARACTERS = 100
APPENDED_TOGETHER = 500

# Why letters stay what they are. One more document in an index that is not checked yet would fail its gate; in one that
# is served no more, nobody would find it.
NOT_PUBLISHED, NOT_SERVED = "not published", "not served"


def dead_letter_folder(settings: Settings) -> Path:
    """Where dead letters are kept."""
    return settings.state_dir / "dead_letters"


def replay_dead_letters(parameters: ReplayParameters, settings: Settings) -> dict[str, Any]:
    """Replay one run's dead letters, or all; only tell of them when ``dry_run``. The summary is small.

    Letters for an index that is not served, not yet or no more, stay: they are counted as skipped with that reason.

    Raises:
        InputError: the run has no dead letters.
        ContractError: a line of a run that is to be sent cannot be read.
        ServiceUnavailable: Elasticsearch does not answer; nothing is lost, run it again.
        Busy: another replay is under way.
    """
    folder = dead_letter_folder(settings)
    before = [letters for letters in inventory(folder) if parameters.run in {"", letters.run}]
    if parameters.run and not before:
        msg = f"Run {parameters.run!r} has no dead letters in {folder}."
        raise InputError(msg)
    summary: dict[str, Any] = {"letters": sum(letters.letters for letters in before), "runs": _told(before)}
    if damaged := [line for letters in before for line in letters.damaged]:
        summary["damaged"] = len(damaged)
        log.warning("%d lines of dead letters cannot be read, the first: %s", len(damaged), damaged[0])
    if parameters.dry_run or not before:
        return summary
    with connect(EsConnection.from_settings(settings, urls=parameters.es_url)) as client:
        counts = sum((replay(client, settings, letters.run) for letters in before), start=BulkCounts())
    return {**summary, "indexed": counts.indexed, "skipped": dict(counts.skipped), "dead": counts.dead}


def replay(client: Elasticsearch, settings: Settings, run: str) -> BulkCounts:
    """Send the dead letters of ``run`` again; those that are refused again are its dead letters from now on.

    Letters are set aside first and dropped when all were sent, so an interrupted replay loses nothing; the next one
    sends them again, which does no harm because ids and versions are the same.

    Raises:
        ContractError: the counts do not add up.
        Busy: another replay of this run is under way.
    """
    folder = dead_letter_folder(settings)
    box = LetterBox(folder, run)
    with locked(folder / f".{box.path.name}.replay.lock", purpose=f"replay {run}"):
        taken = box.take()
        total, read = BulkCounts(), 0
        for (index, version), letters in itertools.groupby(read_letters(taken), key=lambda x: (x.index, x.version)):
            counting = _Counting(letters)
            with writing_index(settings, alias_of(index), purpose=f"replay {run}", alone=False):
                total += _replay_group(client, settings, box, (index, version), counting)
            read += counting.count
        if total.given != read:
            msg = f"Replay of {run}: counts do not add up: {read} read, {total}. The letters are kept in {folder}."
            raise ContractError(msg)
        for path in taken:
            path.unlink()
    log.info("Replay of %s: %s", run, total)
    return total


def _replay_group(
    client: Elasticsearch, settings: Settings, box: LetterBox, target: tuple[str, int | None], letters: _Counting
) -> BulkCounts:
    index, version = target
    if reason := _not_served(client, index):
        return _keep(box, letters, index, reason)
    writer = BulkWriter(client, index, run_id=box.run, dead_letters=box.folder, version=version)
    wanted = _Wanted(letters, settings, alias_of(index), version)
    counts = writer.write(Document(letter.id, letter.document) for letter in wanted)
    with translated(client, f"refresh index {index}"):
        client.indices.refresh(index=index)
    return counts + BulkCounts(skipped={OLDER: wanted.older} if wanted.older else {})


def _not_served(client: Elasticsearch, index: str) -> str | None:
    """Why nothing is to be sent to ``index``; None when readers see it."""
    with translated(client, f"look for index {index}"):
        if not client.indices.exists(index=index):
            return NOT_SERVED
    if SEPARATOR not in index:
        return None
    generations = IndexGenerations(client, alias_of(index))
    if index == generations.resolve():
        return None
    return NOT_SERVED if index in generations.generations() else NOT_PUBLISHED


def _keep(box: LetterBox, letters: Iterable[DeadLetter], index: str, reason: str) -> BulkCounts:
    kept = 0
    remaining = iter(letters)
    while some := list(itertools.islice(remaining, APPENDED_TOGETHER)):
        box.append(some)
        kept += len(some)
    advice = {
        NOT_PUBLISHED: "Replay them when its build is published.",
        NOT_SERVED: f"What replaced it read its own input. Run a day whose products are missing again, or remove "
        f"{box.path} to forget them.",
    }
    log.warning("%d dead letters stay: %s is %s. %s", kept, index, reason, advice[reason])
    return BulkCounts(skipped={reason: kept})


@dataclass
class _Wanted:
    """The letters of which no later run has spoken, and how many others there were.

    Elasticsearch knows when a document was written, not that a later run deleted it or found an earlier text again.
    """

    letters: Iterable[DeadLetter]
    settings: Settings
    alias: str
    version: int | None
    older: int = 0

    def __iter__(self) -> Iterator[DeadLetter]:
        path = ledger_file(self.settings, self.alias)
        ledger = Ledger(path) if path.exists() and self.version is not None else None  # others keep none
        for letter in self.letters:
            if ledger and self.version is not None and ledger.newer([key_of(_name(letter))], self.version):
                self.older += 1
            else:
                yield letter


def _name(letter: DeadLetter) -> str:
    """What the ledger knows the document by; its id in the index is another when it is long."""
    return str(letter.document.get("document_id", letter.id))


@dataclass
class _Counting:
    """An iterator that knows how many it gave."""

    letters: Iterable[DeadLetter]
    count: int = 0

    def __iter__(self) -> Iterator[DeadLetter]:
        for letter in self.letters:
            self.count += 1
            yield letter


def _told(found: Iterable[RunLetters]) -> list[dict[str, Any]]:
    """A little of each run, newest first: it must fit where task results travel."""
    readable = (letters for letters in found if letters.letters)
    newest = sorted(readable, key=lambda letters: letters.newest, reverse=True)[:RUNS_TOLD]
    return [
        {
            "run": letters.run,
            "letters": letters.letters,
            "reasons": dict(sorted(letters.reasons.items(), key=lambda item: -item[1])[:5]),
            "example": letters.samples[0].error["reason"][:REASON_CHARACTERS],
            "newest": letters.newest,
        }
        for letters in newest
    ]
