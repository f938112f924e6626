"""The way from a filled index to a served version, the same for a full build and an increment."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Literal

import numpy as np

from include.errors import GateFailed
from include.faiss_index.engine import Index, library, write_index
from include.faiss_index.ids import Ids
from include.faiss_index.manifest import (
    IDS,
    INDEX,
    TRUTH,
    FileEntry,
    Manifest,
    Origin,
    Quality,
    RowCounts,
    TrainingFigures,
)
from include.faiss_index.recipe import Recipe
from include.faiss_index.refine import REFINE
from include.faiss_index.storage import FileDigest, hashed_file, seal
from include.faiss_index.truth import Truth
from include.faiss_index.verify import ENOUGH_QUERIES, Floors, Written, verify
from include.faiss_index.version import Version
from include.faiss_index.versions import IndexFolder, version_name
from include.generations.promotion import refuse_shrinking
from include.generations.vectors import VectorRows


@dataclass(frozen=True)
class Options:
    """How versions are made and checked."""

    floors: Floors = field(default_factory=Floors)
    threads: int = 0  # of FAISS; 0 takes all cores
    min_share: float = 0.5  # a version with less than this share of the rows served is not served; 0 lets any pass
    force: bool = False  # serve an increment though its recall cannot be told any more


DEFAULTS = Options()
MOST_UPDATED = 0.5  # share of the rows that an increment may change

# Writes further files into the folder of a version, told its ids in ascending order; they belong to the version then.
Companions = Callable[[Path, Ids], dict[str, FileDigest]]
Accept = Callable[[int], object]  # told how many rows a version holds before it is served; what it raises prevents that


@dataclass
class Stopwatch:
    """Wall seconds of each stage."""

    seconds: dict[str, float] = field(default_factory=dict)

    @contextmanager
    def stage(self, name: str) -> Iterator[None]:
        """Add the time inside to stage ``name``."""
        started = time.perf_counter()
        try:
            yield
        finally:
            self.seconds[name] = round(self.seconds.get(name, 0.0) + time.perf_counter() - started, 4)


@dataclass(frozen=True)
class Filled:
    """An index in memory that is to become a version."""

    index: Index
    ids: Ids  # ascending
    truth: Truth
    newest: VectorRows  # some of the rows that came last, of unit length
    recipe: Recipe
    counts: RowCounts
    refine: FileDigest | None  # of the file that stands already in the version's folder


@dataclass(frozen=True)
class History:
    """Where a version comes from."""

    made: Literal["build", "increment"]
    origin: Origin
    training: TrainingFigures
    parent: Version | None
    quality_at_build: Quality | None  # None: this is the build


def assemble(
    folder: IndexFolder,
    building: Path,
    filled: Filled,
    history: History,
    *,
    options: Options,
    watch: Stopwatch,
    accept: Accept,
    companions: Companions = lambda _folder, _ids: {},
) -> Version:
    """Write, verify, serve; ``accept`` is told the rows before: what it raises keeps the version from being served.

    Raises:
        GateFailed: the version did not pass its check; what was served stays served.
        SetupError: no space is left.
    """
    name = version_name(building)
    _check_size(name, len(filled.ids), history.parent, options)
    accept(len(filled.ids))
    if not options.force:
        _check_training(name, filled, history)
    with watch.stage("write"):
        files = _write(building, filled) | companions(building, filled.ids)
    with watch.stage("verify"):
        written = Written(building, filled.recipe, filled.counts, filled.truth, filled.newest)
        quality = _synced_and_verified(written, list(files), options)
    if not options.force:
        _check_measured(name, quality, filled, history)
    manifest = Manifest(
        version=name,
        parent=history.parent.name if history.parent else None,
        made=history.made,
        made_at=datetime.now(UTC),
        origin=history.origin,
        recipe=filled.recipe,
        ntotal=len(filled.ids),
        counts=filled.counts,
        training=history.training,
        quality=quality,
        quality_at_build=history.quality_at_build or quality,
        files={file: FileEntry(bytes=digest.bytes, sha256=digest.sha256) for file, digest in files.items()},
        faiss_version=library().__version__,
        seconds=watch.seconds,
    )
    return folder.finish(building, manifest)


def _check_size(name: str, rows: int, parent: Version | None, options: Options) -> None:
    if not rows:
        msg = f"{name} would be empty, so it is not served. Look into the table: all rows are deleted or unusable."
        raise GateFailed(msg)
    if parent:
        refuse_shrinking(name, rows, parent.manifest.ntotal, min_share=options.min_share, limit=0)


def _check_training(name: str, filled: Filled, history: History) -> None:
    """An index that was trained on other vectors than most of those that it would hold is not served."""
    updated = filled.counts.updated / len(filled.ids)
    if history.made == "increment" and filled.recipe.kind != "flat" and updated > MOST_UPDATED:
        msg = (
            f"{name}: {updated:.0%} of the rows have another vector than before, so its training and its sample "
            "queries no longer tell how good it is. Not served. Run faiss_rebuild, or this again with force."
        )
        raise GateFailed(msg)


def _check_measured(name: str, quality: Quality, filled: Filled, history: History) -> None:
    """Recall that could be measured at the build must not become unknown. A flat index searches exactly."""
    then = history.quality_at_build or quality
    if filled.recipe.kind != "flat" and then.queries >= ENOUGH_QUERIES > quality.queries:
        msg = (
            f"{name}: recall@10 can be measured over {quality.queries} queries only, {then.queries} could be at the "
            f"build, {ENOUGH_QUERIES} are needed. Not served. Run faiss_rebuild, or this again with force."
        )
        raise GateFailed(msg)


def _write(building: Path, filled: Filled) -> dict[str, FileDigest]:
    files = {INDEX: write_index(filled.index, building / INDEX)}
    with hashed_file(building / IDS) as file:
        np.save(file, filled.ids)
    files |= {IDS: file.digest, TRUTH: filled.truth.save(building / TRUTH)}
    return files | ({REFINE: filled.refine} if filled.refine else {})


def _synced_and_verified(written: Written, files: list[str], options: Options) -> Quality:
    """Both at once: the disk is busy while the processor searches."""
    with ThreadPoolExecutor(max_workers=1) as pool:
        syncing = [pool.submit(seal, written.folder / name) for name in files]
        quality = verify(written, options.floors)
        for each in syncing:
            each.result()
    return quality
