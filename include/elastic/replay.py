"""Send dead letters again, after the cause of their death is mended."""

from __future__ import annotations

import itertools
import logging
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from elasticsearch import Elasticsearch

from include.elastic.bulk import OLDER, BulkCounts, BulkWriter
from include.elastic.connection import EsConnection, connect
from include.elastic.dead_letter import DeadLetter
from include.elastic.dead_letters import LetterBox, RunLetters, inventory, read_letters
from include.elastic.documents import Document
from include.elastic.errors import translated
from include.elastic.index_generations import IndexGenerations
from include.elastic.ledger import Ledger, key_of, ledger_file
from include.elastic.locks import writing_index
from include.elastic.parameters import ReplayParameters
from include.errors import ContractError, EmbsearchError, FatalError, InputError, TransientError
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
    Half lines that killed processes left at the end of a file are counted as ``unfinished`` and dropped.

    Raises:
        InputError: the run has no dead letters.
        FatalError: a line of a run cannot be read, or else it cannot be sent; all other runs were sent.
        TransientError: Elasticsearch does not answer, or another replay is under way; nothing is lost, run it again.
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
    if unfinished := [line for letters in before for line in letters.unfinished]:
        summary["unfinished"] = len(unfinished)
        told = "%d dead letters are only half written, by processes that were killed, and do not count, the first: %s"
        log.warning(told, len(unfinished), unfinished[0])
    if parameters.dry_run or not before:
        return summary
    with connect(EsConnection.from_settings(settings, urls=parameters.es_url)) as client:
        counts = _replay_all(client, settings, [letters.run for letters in before])
    return {**summary, "indexed": counts.indexed, "skipped": dict(counts.skipped), "dead": counts.dead}


def _replay_all(client: Elasticsearch, settings: Settings, runs: Sequence[str]) -> BulkCounts:
    """Each run, whatever becomes of the others.

    Raises:
        FatalError: some failed; the message names each.
        TransientError: likewise, and some of them may succeed later.
    """
    total = BulkCounts()
    failed: dict[str, EmbsearchError] = {}
    for run in runs:
        try:
            total += replay(client, settings, run)
        except EmbsearchError as error:
            if len(runs) == 1:
                raise
            log.error("Replay of %s failed: %s", run, error)  # noqa: TRY400 — the sentence is enough
            failed[run] = error
    if failed:
        reasons = "\n".join(f"{run}: {error}" for run, error in failed.items())
        msg = (
            f"The dead letters of {len(failed)} of {len(runs)} runs could not be replayed. The others were.\n{reasons}"
        )
        passing = any(isinstance(error, TransientError) for error in failed.values())
        raise (TransientError if passing else FatalError)(msg)
    return total


def replay(client: Elasticsearch, settings: Settings, run: str) -> BulkCounts:
    """Send the dead letters of ``run`` again; those that are refused again are its dead letters from now on.

    Letters are set aside first and dropped when all were sent, so an interrupted replay loses nothing; the next one
    sends them again, which does no harm because ids and versions are the same.

    Raises:
        ContractError: a line cannot be read, or the counts do not add up.
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
        NOT_SERVED: f"What replaced it read its own input. Run again what is missing from it, or remove {box.path} "
        "to forget them.",
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
        ledger = Ledger(path) if path.exists() and self.version is not None else None  # not every index has one
        for letter in self.letters:
            if ledger and self.version is not None and ledger.newer([key_of(letter.id)], self.version):
                self.older += 1
            else:
                yield letter


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
