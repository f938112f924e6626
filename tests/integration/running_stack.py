"""The whole stack with Airflow, as users run it, with small data; started once for all tests of a session."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime, timedelta, timezone
from pathlib import Path
from typing import Any
from urllib.parse import quote

from elasticsearch import Elasticsearch
from pydantic import SecretStr

from include.airflow_api import AirflowApi
from include.local_stack import members, served, stack
from include.settings import LOGINS, PREFIX, PROJECT_ROOT, Settings
from include.sources.generators import write_texts
from tests.conftest import remove_outside, settings_in

KEYWORDS, PRODUCTS, DAILY_PRODUCTS = 300, 200, 20
SMALL = {"link_shard_rows": 20, "mapped_tasks": 2, "retry_seconds": 1}  # several shards and tasks of so few rows
CHOSEN = {"faiss_rebuild_on_drift": True}  # no test wants the red task of an index that has drifted
SEOUL = timezone(timedelta(hours=9))
DAYS = [datetime(2026, 11, day, tzinfo=SEOUL) for day in (16, 17, 18)]


@dataclass(frozen=True)
class RunningStack:
    """A started stack. A test that stops it starts it again."""

    settings: Settings
    api: AirflowApi
    folder: Path

    def documents(self, index: str) -> int:
        with Elasticsearch(self.settings.es_url) as client:
            return int(client.count(index=index)["count"])

    def get(self, path: str) -> Any:
        """What Airflow's REST API says."""
        return self.api._call("GET", f"/api/v2/{path}")

    def state(self, dag_id: str, run_id: str) -> str:
        return str(self.get(_of(dag_id, run_id))["state"])

    def tasks(self, dag_id: str, run_id: str) -> list[dict[str, Any]]:
        """The task instances of a run."""
        return list(self.get(f"{_of(dag_id, run_id)}/taskInstances?limit=1000")["task_instances"])

    def task_log(self, dag_id: str, run_id: str, task: str, *, map_index: int = -1, try_number: int = 1) -> str:
        """A task's log as its page shows it: one line an entry, with the facts that the entry carries."""
        path = f"{_of(dag_id, run_id)}/taskInstances/{task}/logs/{try_number}?map_index={map_index}&full_content=true"
        return "\n".join(json.dumps(line, ensure_ascii=False) for line in self.get(path)["content"])

    def run(self, *words: str, status: int = 0) -> str:
        """What a command said, as its user meets it at the project's root."""
        return run_in(self.settings, words, status=status)

    def make(self, target: str, *variables: str, status: int = 0) -> str:
        return self.run("make", "--no-print-directory", target, *variables, status=status)


def _of(dag_id: str, run_id: str) -> str:
    return f"dags/{dag_id}/dagRuns/{quote(run_id, safe='')}"


def environment(settings: Settings) -> dict[str, str]:
    """What makes a command work on this stack: that of its owner, who chose its folders and ports."""
    bare = {name: value for name, value in os.environ.items() if not name.startswith(PREFIX)}
    written = {url for url in LOGINS if served.is_ours(settings, url)}  # by the stack: addresses and logins
    written |= {login for url in written for login in LOGINS[url]}
    chosen = settings.model_dump(include=settings.model_fields_set - written, exclude_none=True)
    given = {PREFIX + name.upper(): str(v) for name, v in chosen.items() if not isinstance(v, SecretStr)}
    return {**bare, "COLUMNS": "200", **given}


def run_in(settings: Settings, words: Sequence[str], *, status: int = 0) -> str:
    done = subprocess.run(
        words, cwd=PROJECT_ROOT, env=environment(settings), text=True, encoding="utf-8",
        stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, check=False,
    )  # fmt: skip
    assert done.returncode == status, done.stdout
    assert "Traceback" not in done.stdout
    return done.stdout


@contextmanager
def started(folder: Path, exported: Path) -> Iterator[RunningStack]:
    """Triton, Elasticsearch, the Qdrant engine and Airflow in ``folder``; ``exported`` is the demo model's export."""
    own = settings_in(folder).model_copy(update=SMALL | CHOSEN)
    shutil.copytree(exported.parent.parent, own.state_dir / "models")
    files = {
        "keywords": str(folder / "keywords.txt"),
        "products": str(folder / "products.txt"),
        "daily_products": str(folder / "daily_{date}.txt"),
        "documents": str(folder / "documents_{date}"),
        "images_roots": str(folder / "pictures"),
        "images_v1_dir": str(folder / "pictures"),
    }
    own = Settings(_env_file=None, **{**own.model_dump(include=own.model_fields_set), **files})
    write_texts(folder / "keywords.txt", "keywords", KEYWORDS, language="en", seed=0)
    write_texts(folder / "products.txt", "products", PRODUCTS, language="en", seed=0)
    for number, day in enumerate(DAYS):
        path = folder / f"daily_{day:%Y-%m-%d}.txt"
        write_texts(path, "products", DAILY_PRODUCTS, language="en", seed=100 + number)
    try:
        stack.up(own)
        with stack.airflow_api(own) as api:
            yield RunningStack(served.with_logins(served.served_settings(own)), api, folder)
            api.trigger("keyword_text_index", {"index": "half_done"})  # work under way must not keep anything alive
        assert "Stopped" in run_in(own, ["make", "down"])
        assert not members.members(stack.run_folder(own))
    finally:
        stack.down(own)
        remove_outside(own)
