"""The shard contract: a run cuts its input into shards; each shard is one ``part.parquet`` and one ``_manifest.json``.

The manifest is written last, by rename, so a shard is finished or absent. A finished shard is skipped on a rerun. A
manifest that cannot be read, or a part whose SHA-256 differs, is an error and not an absence: redoing it silently
would hide a failing disk. Anything that writes this folder is a valid producer, on whatever executor.
"""

from __future__ import annotations

import json
import shutil
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Self

from include.errors import ContractError
from include.generations.counts import Counts
from include.generations.files import sha256_of, write_json

PART = "part.parquet"
MANIFEST = "_manifest.json"


@dataclass(frozen=True)
class ShardManifest:
    """What a finished shard holds and how it came to be."""

    key: str  # hash of the run and the shard's index, never of the try
    index: int
    input_fingerprint: str  # sha256 of the input file
    model_fingerprint: str  # of the vectors inside, or "" for text
    counts: Counts
    sha256: str  # of part.parquet
    seconds: dict[str, float]  # stage → wall seconds
    written_to: str = ""  # the index that has its rows, where that may be another than the build's own

    @classmethod
    def read(cls, path: Path) -> Self:
        """Read a manifest.

        Raises:
            FileNotFoundError: there is none, so the shard is not finished.
            ContractError: there is one, but it cannot be understood.
        """
        text = path.read_text(encoding="utf-8")
        try:
            value = json.loads(text)
            return cls(**{**value, "counts": Counts.from_dict(value["counts"])})
        except (ValueError, KeyError, TypeError) as error:
            msg = f"{path} is damaged ({error}). Remove its folder to do this shard again."
            raise ContractError(msg) from error

    def as_dict(self) -> dict[str, Any]:
        """Plain values for JSON."""
        return {**asdict(self), "counts": self.counts.as_dict()}


@dataclass(frozen=True)
class Shard:
    """One shard's folder."""

    folder: Path
    index: int

    @property
    def part(self) -> Path:
        """The rows of a finished shard."""
        return self.folder / PART

    @property
    def manifest(self) -> Path:
        """The manifest, which stands once the shard is finished."""
        return self.folder / MANIFEST

    def finished(self, *, key: str) -> ShardManifest | None:
        """The manifest when this shard is finished and whole, ``None`` when it is still to do.

        Raises:
            ContractError: the folder holds another run's shard, or its bytes have changed.
        """
        try:
            manifest = ShardManifest.read(self.manifest)
        except FileNotFoundError:
            return None
        if manifest.key != key:
            msg = f"{self.folder} belongs to another run. Give this run a folder of its own."
            raise ContractError(msg)
        if not self.part.exists() or sha256_of(self.part) != manifest.sha256:
            msg = f"{self.part} is missing or has changed since it was finished. Remove {self.folder} to do it again."
            raise ContractError(msg)
        return manifest

    def finish(self, manifest: ShardManifest) -> None:
        """Declare the shard done; ``part.parquet`` must already stand."""
        write_json(self.manifest, manifest.as_dict())


@dataclass(frozen=True)
class BuildFolder:
    """All that one build writes before it is promoted: ``<root>/<generation>/{plan.json, shards/…}``."""

    root: Path
    generation: str

    @property
    def folder(self) -> Path:
        """The build's own folder."""
        return self.root / self.generation

    def shard(self, index: int) -> Shard:
        """The folder of shard ``index``."""
        return Shard(self.folder / "shards" / f"{index:05d}", index)

    def write_plan(self, plan: dict[str, Any]) -> None:
        """Keep what was decided before the first row is touched."""
        write_json(self.folder / "plan.json", plan)

    def read_plan(self) -> dict[str, Any] | None:
        """The plan, or ``None`` when the build has not begun.

        Raises:
            ContractError: the plan is there but damaged.
        """
        path = self.folder / "plan.json"
        try:
            text = path.read_text(encoding="utf-8")
        except FileNotFoundError:
            return None
        try:
            plan: dict[str, Any] = json.loads(text)
        except ValueError as error:
            msg = f"{path} is damaged ({error}). Remove {self.folder} to start the build again."
            raise ContractError(msg) from error
        return plan

    def remove(self) -> None:
        """Drop the build with all its shards."""
        shutil.rmtree(self.folder, ignore_errors=True)
