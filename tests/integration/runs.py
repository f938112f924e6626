"""Runs of workflows for tests: in this process, or in one of their own that can be killed."""

from __future__ import annotations

import subprocess
import sys
import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from uuid import uuid4

from include.generations.names import run_key
from include.generations.run import Run
from include.parameters import Parameters
from include.settings import PROJECT_ROOT, Settings
from include.sources.build import Build

LOG = "process.log"


def new_run(name: str = "", *, date: datetime | None = None) -> Run:
    return Run(run_key("test", name or uuid4().hex), date or datetime.now(UTC))


@dataclass(frozen=True)
class WorkflowProcess:
    """``python -m tests.integration.workflow_process``; ``before`` is code that it runs first."""

    folder: Path
    workflow: str
    settings: Settings
    parameters: Parameters
    name: str
    date: datetime
    before: str = ""

    def start(self) -> subprocess.Popen[bytes]:
        (self.folder / "settings.json").write_text(self.settings.model_dump_json())
        (self.folder / "parameters.json").write_text(self.parameters.model_dump_json())
        code = f"{self.before}\nimport sys\nfrom tests.integration.workflow_process import main\nmain(*sys.argv[1:])"
        files = [str(self.folder / "settings.json"), str(self.folder / "parameters.json")]
        with (self.folder / LOG).open("ab") as log:
            return subprocess.Popen(
                [sys.executable, "-c", code, self.workflow, *files, self.name, self.date.isoformat()],
                cwd=PROJECT_ROOT, stdout=log, stderr=log,
            )  # fmt: skip


def stamps(build: Build) -> dict[int, int]:
    """When each finished shard was finished."""
    shards = (build.shard(i) for i in range(build.input.shards))
    return {shard.index: shard.manifest.stat().st_mtime_ns for shard in shards if shard.manifest.exists()}


def wait_for_shards(
    process: subprocess.Popen[bytes], count: int, builds: Callable[[], Iterable[Build]], log: Path
) -> Build:
    """Wait until ``count`` shards of the newest of ``builds`` are finished by ``process``."""
    deadline = time.monotonic() + 120
    while time.monotonic() < deadline:
        if (found := list(builds())) and len(stamps(found[-1])) >= count:
            return found[-1]
        assert process.poll() is None, log.read_text()
        time.sleep(0.01)
    raise AssertionError(f"{count} shards were not finished in 120 s")
