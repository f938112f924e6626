"""Dead letters: documents that Elasticsearch refuses for good, one JSON line each, kept until they are replayed.

One file for each run, ``<folder>/<run>.jsonl``; a file that a replay is working on is called
``<run>.replaying-<time>.jsonl``. A shard that is done again writes its dead letters again, so readers see each
document once: the letter that was written last.

A process that is killed while it writes may leave half a line at the end. Nobody counts on that letter, because the
work that it came from is not marked as done: readers pass over it, and who writes next cuts it off.
"""

from __future__ import annotations

import logging
import mmap
import os
import re
import time
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from io import FileIO
from pathlib import Path
from typing import Any

from include.elastic.dead_letter import DeadLetter, Unreadable, parsed
from include.errors import ContractError
from include.generations.files import sync_folder
from include.generations.locks import locked

log = logging.getLogger(__name__)

LOCK_SECONDS = 60.0
SAMPLES = 3
_REPLAYING = re.compile(r"\.replaying-\d+$")


@dataclass(frozen=True)
class RunLetters:
    """What a run left behind."""

    run: str
    letters: int
    reasons: Mapping[str, int]  # error type → documents
    indexes: tuple[str, ...]
    oldest: str
    newest: str
    samples: tuple[DeadLetter, ...]
    damaged: tuple[str, ...] = ()  # lines that cannot be read: file, line number, why
    unfinished: tuple[str, ...] = ()  # half lines at the end of a file, likewise


@dataclass(frozen=True)
class LetterBox:
    """The dead letters of one run; safe with several processes."""

    folder: Path
    run: str

    @property
    def path(self) -> Path:
        """Where new letters go."""
        return self.folder / f"{_file_name(self.run)}.jsonl"

    def append(self, letters: Sequence[DeadLetter]) -> None:
        """Keep the letters; they are on the disk when this returns, all or none.

        Raises:
            Busy: another process holds the file for a minute.
            OSError: they cannot be written, for example because the disk is full.
        """
        if not letters:
            return
        with self._locked("append dead letters"), self.path.open("a+b", buffering=0) as file:
            before = _mended_end(file)
            size = file.seek(0, os.SEEK_END)
            rest = memoryview(before + b"".join(letter.line() for letter in letters))
            try:
                while rest:
                    rest = rest[file.write(rest) :]
                os.fsync(file.fileno())
            except OSError:
                file.truncate(size)  # half a line would spoil the next one
                raise
        sync_folder(self.folder)

    def take(self) -> list[Path]:
        """Set the letters aside for a replay; return the files, with those of a replay that was interrupted."""
        with self._locked("take dead letters"):
            if self.path.exists():
                self.path.rename(self.path.with_name(f"{_file_name(self.run)}.replaying-{time.time_ns()}.jsonl"))
                sync_folder(self.folder)
        return sorted(self.folder.glob(f"{_file_name(self.run)}.replaying-*.jsonl"))

    def _locked(self, purpose: str) -> Any:
        return locked(self.folder / f".{_file_name(self.run)}.lock", purpose=purpose, wait_seconds=LOCK_SECONDS)


def _mended_end(file: FileIO) -> bytes:
    """What must come before a new line, after half a line at the end has been cut off."""
    if not file.seek(0, os.SEEK_END):
        return b""
    with mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as written:
        begin = written.rfind(b"\n") + 1
        last = written[begin:]
    if not last:
        return b""
    try:
        parsed(last)
    except Unreadable as error:
        log.warning("%s: half a line at the end is cut off (%s); its writer was killed", file.name, error)
        file.truncate(begin)
        return b""
    return b"\n"  # somebody has edited the file


def runs(folder: Path) -> dict[str, list[Path]]:
    """The files of every run that has dead letters."""
    found: dict[str, list[Path]] = {}
    for path in sorted(folder.glob("*.jsonl")):
        found.setdefault(_REPLAYING.sub("", path.name.removesuffix(".jsonl")), []).append(path)
    return found


def read_letters(
    paths: Iterable[Path], *, damaged: list[str] | None = None, unfinished: list[str] | None = None
) -> Iterator[DeadLetter]:
    """Each dead document once, streamed: only a hash of each is held in memory.

    Lines that cannot be read are named in ``damaged``, half ones at the end of a file in ``unfinished``, and left out.

    Raises:
        ContractError: a line that is not the last cannot be read, and no ``damaged`` is given.
    """
    paths, last = list(paths), {}
    for line in _lines(paths):
        try:
            last[parsed(line.text).key()] = line.place
        except Unreadable as error:
            if not line.text.endswith(b"\n"):
                if unfinished is not None:
                    unfinished.append(f"{line.name} is unfinished ({error})")
            elif damaged is not None:
                damaged.append(f"{line.name} is damaged ({error})")
            else:
                msg = f"{line.name} is damaged ({error}). Correct or remove that line, then run this again."
                raise ContractError(msg) from error
    for line in _lines(paths):
        with suppress(Unreadable):
            letter = parsed(line.text)
            if last.get(letter.key()) == line.place:
                yield letter


def dead_ids(folder: Path, run: str) -> set[str]:
    """Ids of the documents of ``run`` that are dead; damaged lines are for the replay to tell."""
    return {letter.id for letter in read_letters(runs(folder).get(_file_name(run), []), damaged=[])}


def inventory(folder: Path) -> list[RunLetters]:
    """The standing list of what is dead, by run; damaged lines are named and do not hide the others."""
    found = []
    for run, paths in runs(folder).items():
        damaged: list[str] = []
        unfinished: list[str] = []
        letters = _summary(run, read_letters(paths, damaged=damaged, unfinished=unfinished))
        found.append(replace(letters, damaged=tuple(damaged), unfinished=tuple(unfinished)))
    return found


def _summary(run: str, letters: Iterable[DeadLetter]) -> RunLetters:
    reasons: Counter[str] = Counter()
    indexes: set[str] = set()
    times: set[str] = set()
    samples: list[DeadLetter] = []
    for letter in letters:
        reasons[letter.error["type"]] += 1
        indexes.add(letter.index)
        times = {min(*times, letter.time), max(*times, letter.time)} if times else {letter.time}
        if len(samples) < SAMPLES:
            samples.append(letter)
    return RunLetters(
        run,
        reasons.total(),
        dict(reasons),
        tuple(sorted(indexes)),
        min(times, default=""),
        max(times, default=""),
        tuple(samples),
    )


@dataclass(frozen=True)
class _Line:
    path: Path
    number: int  # from 1
    text: bytes

    @property
    def place(self) -> tuple[Path, int]:
        return self.path, self.number

    @property
    def name(self) -> str:
        return f"{self.path}, line {self.number}"


def _lines(paths: Iterable[Path]) -> Iterator[_Line]:
    for path in paths:
        with path.open("rb") as file:
            for number, text in enumerate(file, start=1):
                yield _Line(path, number, text)


def _file_name(run: str) -> str:
    return re.sub(r"[^\w.-]", "_", run)
