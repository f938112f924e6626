"""All folders where readers outside find an index: that of the settings, and each that a run has named.

A run's own folder is remembered beside the versions, so that every later version, roll back and repair comes there too.
A folder that was taken away is forgotten.
"""

from __future__ import annotations

import json
import logging
from collections.abc import Collection, Iterator
from dataclasses import dataclass
from datetime import date
from pathlib import Path

from include.errors import ContractError
from include.faiss_index.manifest import INDEX
from include.faiss_index.published import PublishedFiles
from include.faiss_index.storage import storage_faults
from include.generations.files import write_json

log = logging.getLogger(__name__)

REMEMBERED = "published_to.json"


@dataclass(frozen=True)
class Publications:
    """The published files of the index in ``root``; none where ``main`` is None."""

    root: Path
    main: PublishedFiles | None

    def add(self, folder: Path | None) -> None:
        """Publish to ``folder`` too, from now on."""
        if folder is None or self.main is None or folder in {each.folder for each in self._all()}:
            return
        with storage_faults(folder):
            folder.mkdir(parents=True, exist_ok=True)
        self._remember([*self._named(), folder])

    def prepare(self, index: Path, day: date) -> None:
        """Put the dated files there; nothing that is served changes."""
        for files in self._all():
            files.prepare(index, day)

    def serve(self, index: Path, days: dict[str, date], *, backup: bool) -> None:
        """Let readers find ``index``; what they found before is kept under its own day, of ``days`` by version."""
        for files in self._all():
            files.serve(index, previous_day=self._shown(files, days) if backup else None, backup=backup)

    def serve_all(self, index: Path) -> bool:
        """Whether readers find ``index`` everywhere."""
        return all(files.serves(index) for files in self._all())

    def withdraw(self, index: Path, day: date | None = None) -> None:
        """Take away the dated file of ``index``; without a day also all others, and backups."""
        for files in self._all():
            files.withdraw(index, day)

    def prune(self, keep: int, made: Collection[date]) -> None:
        """Leave the newest ``keep`` dated files and backups, and those of the days in ``made``."""
        for files in self._all():
            files.prune(keep, {path for day in made for path in (files.dated(day), files.backup(day))})

    def _shown(self, files: PublishedFiles, days: dict[str, date]) -> date | None:
        """The day of the version that readers find now, whatever the pointer says; None when it is none of them."""
        shown = (name for name in reversed(days) if files.serves(self.root / "versions" / name / INDEX))
        name = next(shown, None)
        return days[name] if name else None

    def _all(self) -> Iterator[PublishedFiles]:
        if self.main is None:
            return
        yield self.main
        named = self._named()
        there = [folder for folder in named if folder.is_dir()]
        if there != named:
            gone = [str(folder) for folder in named if folder not in there]
            log.warning("%s: not published to %s any more, which was taken away", self.root, ", ".join(gone))
            self._remember(there)
        yield from (PublishedFiles(folder, self.main.name) for folder in there if folder != self.main.folder)

    def _named(self) -> list[Path]:
        path = self.root / REMEMBERED
        try:
            with storage_faults(path):
                return (
                    [Path(folder) for folder in json.loads(path.read_text(encoding="utf-8"))] if path.exists() else []
                )
        except (ValueError, TypeError) as error:
            msg = f"{path} is damaged ({error}). Remove it, and give the folders as output again."
            raise ContractError(msg) from error

    def _remember(self, folders: list[Path]) -> None:
        path = self.root / REMEMBERED
        with storage_faults(path):
            write_json(path, [str(folder) for folder in folders])
