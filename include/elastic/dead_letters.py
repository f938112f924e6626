"""Dead letters: documents that Elasticsearch refuses for good, one JSON line each, kept until they are replayed.

One file for each run, ``<folder>/<run>.jsonl``; a file that a replay is working on is called
``<run>.replaying-<time>.jsonl``. A shard that is done again writes its dead letters again, so readers see each
document once: the letter that was written last.
"""

from __future__ import annotations

import hashlib
import json
import os
import re
import time
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from io import RawIOBase
from pathlib import Path
from typing import Any

from include.errors import ContractError
from include.generations.files import sync_folder
from include.generations.locks import locked

LOCK_SECONDS = 60.0
SAMPLES = 3
_REPLAYING = re.compile(r"\.replaying-\d+$")


@dataclass(frozen=True)
class DeadLetter:
    """A refused document and why."""

    time: str  # ISO 8601, UTC
    run: str
    index: str
    operation: Mapping[str, Any]  # {"index": {"_id": …, "version": …}}
    document: Mapping[str, Any]
    error: Mapping[str, str]  # type, reason
    status: int | None  # HTTP, None when it was not sent
    attempts: int

    @property
    def id(self) -> str:
        """The document's id."""
        return str(self.operation["index"]["_id"])

    @property
    def version(self) -> int | None:
        """The document's external version."""
        version: int | None = self.operation["index"].get("version")
        return version

    def line(self) -> bytes:
        """One line of JSON: readable, or with escapes when it holds what UTF-8 cannot."""
        try:
            return json.dumps(asdict(self), ensure_ascii=False).encode("utf-8") + b"\n"
        except UnicodeEncodeError:
            return json.dumps(asdict(self)).encode("ascii") + b"\n"

    def key(self) -> bytes:
        """Equal for the same document of the same index."""
        same = json.dumps([self.index, self.id, self.document], sort_keys=True)
        return hashlib.sha256(same.encode("ascii")).digest()


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
            size = file.seek(0, os.SEEK_END)
            rest = memoryview(_line_end(file, size) + b"".join(letter.line() for letter in letters))
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


def _line_end(file: RawIOBase, size: int) -> bytes:
    """What must come before a new line: a process that died while it wrote may have left half of one."""
    if not size:
        return b""
    file.seek(size - 1)
    return b"" if file.read(1) == b"\n" else b"\n"


def runs(folder: Path) -> dict[str, list[Path]]:
    """The files of every run that has dead letters."""
    found: dict[str, list[Path]] = {}
    for path in sorted(folder.glob("*.jsonl")):
        found.setdefault(_REPLAYING.sub("", path.name.removesuffix(".jsonl")), []).append(path)
    return found


def read_letters(paths: Iterable[Path], *, damaged: list[str] | None = None) -> Iterator[DeadLetter]:
    """Each dead document once, streamed: only a hash of each is held in memory.

    Lines that cannot be read are named in ``damaged`` and left out.

    Raises:
        ContractError: a line cannot be read, and no ``damaged`` is given.
    """

    def note(where: str) -> None:
        if damaged is None:
            msg = f"{where}. Correct or remove that line, then run this again."
            raise ContractError(msg)
        damaged.append(where)

    paths = list(paths)
    last = {letter.key(): place for place, letter in _all(paths, note)}
    for place, letter in _all(paths, lambda _: None):
        if last[letter.key()] == place:
            yield letter


def dead_ids(folder: Path, run: str) -> set[str]:
    """Ids of the documents of ``run`` that are dead; damaged lines are for the replay to tell."""
    return {letter.id for letter in read_letters(runs(folder).get(_file_name(run), []), damaged=[])}


def inventory(folder: Path) -> list[RunLetters]:
    """The standing list of what is dead, by run; damaged lines are named and do not hide the others."""
    found = []
    for run, paths in runs(folder).items():
        damaged: list[str] = []
        letters = _summary(run, read_letters(paths, damaged=damaged))
        found.append(replace(letters, damaged=tuple(damaged)))
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


def _all(paths: Iterable[Path], damaged: Callable[[str], None]) -> Iterator[tuple[tuple[int, int], DeadLetter]]:
    for number, path in enumerate(paths):
        with path.open("rb") as file:
            for row, line in enumerate(file, start=1):
                try:
                    letter = DeadLetter(**json.loads(line))
                except (ValueError, TypeError) as error:
                    damaged(f"{path}, line {row} is damaged ({error})")
                else:
                    yield (number, row), letter


def _file_name(run: str) -> str:
    return re.sub(r"[^\w.-]", "_", run)
