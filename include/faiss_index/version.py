"""A finished version of an index, as it lies in its folder."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from include.faiss_index.ids import Ids
from include.faiss_index.manifest import TRUTH, Manifest
from include.faiss_index.opened import OpenIndex, check_files, open_index, read_ids
from include.faiss_index.truth import Truth


@dataclass(frozen=True)
class Version:
    """A finished version."""

    folder: Path
    manifest: Manifest

    @property
    def name(self) -> str:
        """Of its folder."""
        return self.folder.name

    def ids(self) -> Ids:
        """The ids in it, ascending; the file is mapped."""
        return read_ids(self.folder)

    def truth(self) -> Truth:
        """Its sample queries."""
        return Truth.load(self.folder / TRUTH)

    def check(self) -> None:
        """Compare every byte with the manifest; raises ContractError."""
        check_files(self.folder, self.manifest)

    def open(self, *, check: bool = True, mapped: bool = False) -> OpenIndex:
        """Read it into memory, or map it."""
        return open_index(self.folder, self.manifest, check=check, mapped=mapped)
