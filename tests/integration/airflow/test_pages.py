"""What a user reads on Airflow's pages: documentation, progress, figures."""

from __future__ import annotations

import re
from typing import Any

import pytest

from tests.integration.running_stack import PRODUCTS, RunningStack

PROGRESS = re.compile(
    r"([\d,]+)/([\d,]+) \(([\d.]+)%\) \| embed \d+ ms \| search \d+ ms \| bulk \d+ ms a batch \| "
    r"[\d,]+ products/s, now [\d,]+"
)


def chained_run(running: RunningStack) -> str:
    runs = running.api.runs("product_linking")
    return next(str(run["dag_run_id"]) for run in reversed(runs) if run["run_type"] == "asset_triggered")


@pytest.mark.parametrize("part", ["**Input:**", "**Output:**", "**When it fails:**"])
def test_every_dag_shows_its_documentation(
    running_stack: RunningStack, chain: dict[str, dict[str, Any]], part: str
) -> None:
    for dag in [*chain, "product_linking_daily", "dead_letter_replay"]:
        assert part in running_stack.get(f"dags/{dag}/details")["doc_md"], dag


def test_the_log_of_a_linking_has_five_stages_and_its_progress(
    running_stack: RunningStack, chain: dict[str, dict[str, Any]]
) -> None:
    run = chained_run(running_stack)
    tasks = [(task["task_id"], task["map_index"]) for task in running_stack.tasks("product_linking", run)]
    logs = {
        (task, index): running_stack.task_log("product_linking", run, task, map_index=index) for task, index in tasks
    }
    stages = {task: sorted(set(re.findall(r"stage (\d)/5: ", log))) for (task, _), log in logs.items()}
    assert stages == {"plan": ["1", "2"], "link": ["3"], "publish": ["4", "5"]}
    lines = {index: PROGRESS.findall(log) for (task, index), log in logs.items() if task == "link"}
    assert len(lines) == running_stack.settings.mapped_tasks
    assert all(lines.values())
    assert all(line[-1][0] == line[-1][1] and line[-1][2] == "100.0" for line in lines.values())
    assert sum(int(line[-1][1]) for line in lines.values()) == PRODUCTS


def test_a_linking_ends_with_its_figures_and_some_links(
    running_stack: RunningStack, chain: dict[str, dict[str, Any]]
) -> None:
    figures = chain["product_linking"]
    assert figures["documents"] == PRODUCTS
    assert figures["seconds"].keys() == {"embed", "search", "bulk", "publish", "wall"}
    assert all(seconds > 0 for seconds in figures["seconds"].values())
    wall = figures["seconds"]["wall"]
    log = running_stack.task_log("product_linking", chained_run(running_stack), "publish")
    told = f"{PRODUCTS} documents; {PRODUCTS} products linked in {wall:.1f} s, {PRODUCTS / wall:.1f} products/s"
    assert told in log
    products = (running_stack.folder / "products.txt").read_text().splitlines()
    samples = re.findall(r'"event": "(.+?): (?:[^"]+ \(\d\.\d{3}\)(?:, )?){3}"', log)
    assert len(samples) == 5
    assert all(any(product.startswith(sample) for product in products) for sample in samples)
