"""One build over one input file: what was decided when it began, what is finished of it, what became of it.

Its folder is ``<state>/builds/<kind>/<generation>/`` with ``plan.json``, ``input/`` and ``shards/``; the folder of the
promoted generation stays, so that the next build can use its vectors again.
"""

from __future__ import annotations

import itertools
import json
import os
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any, Self

import pyarrow.parquet as pq

from include.errors import ContractError, InputError
from include.generations.counts import Counts
from include.generations.files import replacing, sha256_of, write_json
from include.generations.run import Run
from include.generations.shards import BuildFolder, Shard, ShardManifest
from include.sources.plan import InputPlan, read_planned
from include.sources.rows import Row

UNUSABLE_FILE = "unusable.jsonl"
PUBLISHED, REFUSED, REPLACED = "published", "refused", "replaced"  # notes beside the plan


@dataclass(frozen=True)
class Build:
    """What was decided when the build began."""

    folder: BuildFolder
    kind: str
    alias: str
    run_key: str
    date: datetime
    input: InputPlan
    facts: Mapping[str, Any]  # parameters and what was found at the beginning, for example the keyword generation

    @property
    def generation(self) -> str:
        """The name of the generation under construction."""
        return self.folder.generation

    @property
    def began(self) -> float:
        """When the plan was made, seconds since the epoch."""
        return (self.folder.folder / "plan.json").stat().st_mtime

    @property
    def touched(self) -> float:
        """When it was begun or last resumed, seconds since the epoch."""
        return max(self.began, self.folder.folder.stat().st_mtime)

    def mark_resumed(self) -> None:
        """Let nobody take a build that goes on now for an abandoned one."""
        os.utime(self.folder.folder)

    @property
    def uri(self) -> str:
        """What travels between tasks instead of data."""
        return str(self.folder.folder)

    @property
    def version(self) -> int:
        """External version of documents: milliseconds, so that an older run never overwrites a newer one."""
        return int(self.date.timestamp() * 1000)

    @property
    def unusable(self) -> Path:
        """Broken rows of the input, one JSON a line; absent when there is none."""
        return self.folder.folder / UNUSABLE_FILE

    def rows(self, index: int) -> list[Row]:
        """The input of shard ``index``."""
        return read_planned(self.folder.folder / "input" / f"{index:05d}.parquet")

    def row_count(self, index: int) -> int:
        """How many rows shard ``index`` has; only the last one may have fewer than the others."""
        return min(self.input.shard_rows, self.input.rows - index * self.input.shard_rows)

    def shard(self, index: int) -> Shard:
        """The output folder of shard ``index``."""
        return self.folder.shard(index)

    def shard_key(self, index: int) -> str:
        """The contract's key of shard ``index``."""
        return f"{self.run_key}-{index}"

    def finished(self, index: int) -> ShardManifest | None:
        """The manifest of shard ``index`` when it is done."""
        return self.shard(index).finished(key=self.shard_key(index))

    def finish_shard(
        self, index: int, rows: Any, counts: Counts, seconds: Mapping[str, float], *,
        model_fingerprint: str = "", written_to: str = "",
    ) -> ShardManifest:  # fmt: skip
        """Write the Arrow table ``rows`` as shard ``index`` and declare it done."""
        shard = self.shard(index)
        with replacing(shard.part) as temporary:
            pq.write_table(rows, temporary, compression="none")  # mostly vectors, which do not compress
        manifest = ShardManifest(
            self.shard_key(index), index, self.input.fingerprint, model_fingerprint,
            counts.check(f"shard {index} of {self.uri}"), sha256_of(shard.part), dict(seconds), written_to,
        )  # fmt: skip
        shard.finish(manifest)
        return manifest

    def ranges(self, tasks: int) -> list[tuple[int, int]]:
        """All shards as at most ``tasks`` ranges ``(first, end)`` of nearly equal length."""
        count = min(tasks, self.input.shards)
        cuts = [self.input.shards * i // count for i in range(count + 1)]
        return list(itertools.pairwise(cuts))

    def task_ranges(self, tasks: int) -> list[tuple[int, int]]:
        """:meth:`ranges` as they were when first asked for: a setting that changes meanwhile leaves no shard out."""
        return self.ranges(int(self.once("tasks", lambda: {"tasks": tasks})["tasks"]))

    def counts(self) -> Counts:
        """Of the whole build, checked.

        Raises:
            ContractError: a shard is not finished, or the counts do not add up.
        """
        total = Counts()
        for index in range(self.input.shards):
            manifest = self.finished(index)
            if manifest is None:
                msg = f"Shard {index} of {self.uri} is not finished. Run the shards again before publishing."
                raise ContractError(msg)
            total += manifest.counts
        if total.read != self.input.rows:
            msg = f"{self.uri}: the shards read {total.read} rows, planned were {self.input.rows}."
            raise ContractError(msg)
        planned = self.input.counts
        before = Counts(planned.read - planned.written, 0, planned.skipped, planned.dead)
        return (before + total).check(self.uri)

    def seconds(self) -> dict[str, float]:
        """Wall seconds by stage, summed over the shards, all of which are finished."""
        total: dict[str, float] = {}
        for index in range(self.input.shards):
            # Read only: whoever needs the parts to be whole has asked finished(), which hashes them.
            for stage, seconds in ShardManifest.read(self.shard(index).manifest).seconds.items():
                total[stage] = total.get(stage, 0.0) + seconds
        return total

    def continues(self, run: Run, facts: Mapping[str, Any]) -> bool:
        """Whether ``run`` goes on with this build.

        A command that is given again means a build that can still be finished: one that was neither published nor
        refused, and that would begin with the same facts now.
        """
        if self.run_key != run.key or run.repeats:
            return self.run_key == run.key
        return self.facts == facts and self.published() is None and self.noted(REFUSED) is None

    def mark_refused(self, reason: str) -> None:
        """Keep why this build cannot be served."""
        self.note(REFUSED, {"reason": reason})

    def told(self, counts: Counts) -> dict[str, Any]:
        """What every summary says of a build: the run under which its dead letters are, and what became of its rows."""
        found = {"run": self.generation, "counts": counts.as_dict(), "cut_by_limit": self.input.cut_by_limit}
        return {**found, "unusable": str(self.unusable)} if self.unusable.exists() else found

    def all_seconds(self, **more: float) -> dict[str, float]:
        """For people: seconds by stage, summed over what ran side by side, and the wall time since the plan."""
        found = {**self.seconds(), **more, "wall": time.time() - self.began}
        return {stage: round(seconds, 2) for stage, seconds in found.items()}

    def once(self, name: str, work: Callable[[], dict[str, Any]]) -> dict[str, Any]:
        """The result of ``work``, done at most once in the life of this build, whatever is interrupted later."""
        while (done := self.noted(name)) is None:
            self.note(name, work())
        return done

    def note(self, name: str, value: Mapping[str, Any]) -> None:
        """Keep ``value`` beside the plan, in place of what was kept under this name."""
        write_json(self._note(name), dict(value))

    def noted(self, name: str) -> dict[str, Any] | None:
        """What is kept under ``name``, or ``None``."""
        try:
            found: dict[str, Any] = json.loads(self._note(name).read_text(encoding="utf-8"))
        except FileNotFoundError:
            return None
        return found

    def _note(self, name: str) -> Path:
        return self.folder.folder / f"{name}.json"

    def previous(self, served: str | None) -> str | None:
        """What this build replaces; ``served`` is what has the name now, asked for just before it is taken.

        It is kept, because an interrupted build that had taken the name already finds itself served.
        """
        if served != self.generation:
            self.note(REPLACED, {"generation": served})
        replaced: str | None = (self.noted(REPLACED) or {"generation": None})["generation"]
        return replaced

    @property
    def took_name(self) -> bool:
        """Whether this build came as far as being served."""
        return self.noted(REPLACED) is not None or self.published() is not None

    def mark_published(self, summary: Mapping[str, Any]) -> None:
        """Keep the outcome beside the plan."""
        self.note(PUBLISHED, summary)

    def published(self) -> dict[str, Any] | None:
        """The outcome, or ``None`` while the build is under way."""
        return self.noted(PUBLISHED)

    @classmethod
    def load(cls, uri: str | Path) -> Self:
        """The build in folder ``uri``.

        Raises:
            InputError: there is none.
        """
        folder = BuildFolder(Path(uri).parent, Path(uri).name)
        plan = folder.read_plan()
        if plan is None:
            msg = f"No build in {uri}: it was never begun, or was pruned. Start the run again from its first task."
            raise InputError(msg)
        return cls(
            folder,
            plan["kind"],
            plan["alias"],
            plan["run_key"],
            datetime.fromisoformat(plan["date"]),
            InputPlan.from_dict(plan["input"]),
            plan["facts"],
        )
