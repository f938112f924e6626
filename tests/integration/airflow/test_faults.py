"""What goes wrong while Airflow runs: a task is killed, a server is busy, a parameter is wrong."""

from __future__ import annotations

import time
from typing import Any

import psutil
from elasticsearch import Elasticsearch

from include.airflow_api import FINISHED
from include.local_stack import members, stack
from include.sources.build import Build
from include.sources.builds import all_builds
from tests.integration.airflow.conftest import FEW
from tests.integration.running_stack import PRODUCTS, RunningStack
from tests.integration.runs import stamps

DAG = "product_linking"
INDEX = "few_links"


def served(running: RunningStack) -> tuple[str, int]:
    """The generation that a search is answered from, and how many documents it finds."""
    with Elasticsearch(running.settings.es_url) as client:
        hits = client.search(index=INDEX, size=1, track_total_hits=True)["hits"]
    return hits["hits"][0]["_index"], hits["total"]["value"]


def kill(running: RunningStack, task_instance: str) -> bool:
    """Kill the process that Airflow runs a task in, as the kernel does when memory runs out."""
    for process in members.members(stack.run_folder(running.settings)):
        try:
            if " ".join(process.cmdline()).strip() == f"airflow worker -- {task_instance}":
                process.kill()
                return True
        except psutil.NoSuchProcess:
            continue
    return False


def kill_one_in_the_middle(running: RunningStack, run: str, old: str) -> tuple[Build, int, dict[int, int]]:
    """Kill a linking task between two of its shards; return the build, the task's index, when shards were finished."""
    deadline = time.monotonic() + 120
    while time.monotonic() < deadline:
        builds = [b for b in all_builds(running.settings, "links", INDEX) if b.generation != old]
        tasks = [t for t in running.tasks(DAG, run) if t["task_id"] == "link" and t["state"] == "running"]
        for build in builds:
            for task in tasks:
                first, end = build.ranges(running.settings.mapped_tasks)[task["map_index"]]
                finished = stamps(build)
                if 0 < len(finished.keys() & set(range(first, end))) < end - first and kill(running, task["id"]):
                    return build, task["map_index"], finished
        time.sleep(0.02)
    raise AssertionError("no linking task was seen between two shards in 120 s")


def test_a_killed_task_is_tried_again_and_the_index_before_is_served_until_all_is_done(
    running_stack: RunningStack, few_links: dict[str, Any]
) -> None:
    api, old = running_stack.api, few_links["generation"]
    run = api.trigger(DAG, {"index": INDEX, "batch_size": 2, "workers": 1})
    build, killed, finished = kill_one_in_the_middle(running_stack, run, old)
    seen = {served(running_stack)}
    assert seen == {(old, FEW)}
    while (state := running_stack.state(DAG, run)) not in FINISHED:
        seen.add(served(running_stack))
        time.sleep(0.1)
    assert state == "success"
    assert seen <= {(old, FEW), (build.generation, PRODUCTS)}
    assert served(running_stack) == (build.generation, PRODUCTS)
    tries = {t["map_index"]: t["try_number"] for t in running_stack.tasks(DAG, run) if t["task_id"] == "link"}
    assert tries == {index: 2 if index == killed else 1 for index in tries}
    after = stamps(build)
    assert {shard: after[shard] for shard in finished} == finished
    counts = api.xcom(DAG, run, "publish")["counts"]
    assert counts == {"read": PRODUCTS, "written": PRODUCTS, "skipped": {}, "dead": 0}


def test_an_unknown_parameter_fails_the_run_at_its_first_task_without_a_retry(
    running_stack: RunningStack, chain: dict[str, dict[str, Any]]
) -> None:
    run = running_stack.api.trigger(DAG, {"topk": 3})
    assert running_stack.api.wait(DAG, run, seconds=120) == "failed"
    tasks = {task["task_id"]: task for task in running_stack.tasks(DAG, run)}
    assert (tasks["plan"]["state"], tasks["plan"]["try_number"]) == ("failed", 1)
    assert tasks["publish"]["state"] == "upstream_failed"
    assert "Unknown param topk" in running_stack.task_log(DAG, run, "plan")
