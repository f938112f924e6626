"""Send dead letters again, after the cause of their death is mended."""

from __future__ import annotations

import itertools
import logging
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from elasticsearch import Elasticsearch

from include.elastic.bulk import BulkCounts, BulkWriter
from include.elastic.connection import EsConnection, connect
from include.elastic.dead_letters import DeadLetter, LetterBox, RunLetters, inventory, read_letters
from include.elastic.documents import Document
from include.elastic.errors import translated
from include.elastic.parameters import ReplayParameters
from include.errors import ContractError, InputError
from include.generations.locks import locked
from include.settings import Settings

log = logging.getLogger(__name__)

RUNS_TOLD = 10
REASON_CHARACTERS = 100
APPENDED_TOGETHER = 500


def dead_letter_folder(settings: Settings) -> Path:
    """Where dead letters are kept."""
    return settings.state_dir / "dead_letters"


def replay_dead_letters(parameters: ReplayParameters, settings: Settings) -> dict[str, Any]:
    """Replay one run's dead letters, or all; only tell of them when ``dry_run``. The summary is small.

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
        counts = sum((replay(client, folder, letters.run) for letters in before), start=BulkCounts())
    return {**summary, "indexed": counts.indexed, "skipped": dict(counts.skipped), "dead": counts.dead}


def replay(client: Elasticsearch, folder: Path, run: str) -> BulkCounts:
    """Send the dead letters of ``run`` again; those that are refused again are its dead letters from now on.

    Letters are set aside first and dropped when all were sent, so an interrupted replay loses nothing; the next one
    sends them again, which does no harm because ids and versions are the same.

    Raises:
        ContractError: the counts do not add up.
        Busy: another replay of this run is under way.
    """
    box = LetterBox(folder, run)
    with locked(folder / f".{box.path.name}.replay.lock", purpose=f"replay {run}"):
        taken = box.take()
        total, read = BulkCounts(), 0
        for (index, version), letters in itertools.groupby(read_letters(taken), key=lambda x: (x.index, x.version)):
            counting = _Counting(letters)
            total += _replay_group(client, box, index, version, counting)
            read += counting.count
        if total.given != read:
            msg = f"Replay of {run}: counts do not add up: {read} read, {total}. The letters are kept in {folder}."
            raise ContractError(msg)
        for path in taken:
            path.unlink()
    log.info("Replay of %s: %s", run, total)
    return total


def _replay_group(
    client: Elasticsearch, box: LetterBox, index: str, version: int | None, letters: _Counting
) -> BulkCounts:
    with translated(client, f"look for index {index}"):
        exists = bool(client.indices.exists(index=index))
    if not exists:
        return _keep(box, letters, f"index {index} does not exist any more")
    writer = BulkWriter(client, index, run_id=box.run, dead_letters=box.folder, version=version)
    counts = writer.write(Document(letter.id, letter.document) for letter in letters)
    with translated(client, f"refresh index {index}"):
        client.indices.refresh(index=index)
    return counts


def _keep(box: LetterBox, letters: Iterable[DeadLetter], why: str) -> BulkCounts:
    log.warning("%s: its dead letters stay", why)
    kept = 0
    remaining = iter(letters)
    while some := list(itertools.islice(remaining, APPENDED_TOGETHER)):
        box.append(some)
        kept += len(some)
    return BulkCounts(dead=kept)


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
