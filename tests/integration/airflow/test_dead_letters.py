"""What Elasticsearch refused, told and sent again by the DAG."""

from __future__ import annotations

import time
from collections.abc import Iterator
from typing import Any

import pytest
from elasticsearch import Elasticsearch

from include.airflow_api import FINISHED
from include.elastic.index_generations import IndexGenerations
from include.elastic.mappings import LINK_MAPPING
from include.elastic.replay import dead_letter_folder
from include.generations.locks import locked
from include.linking.plan import HELD
from tests.integration.running_stack import RunningStack

DAG = "dead_letter_replay"
INDEX = "own_links"
LONG = "tent " * 8_000  # as one term it is longer than Lucene takes
PRODUCTS = ["red hiking boots", "rain jacket", LONG.strip()]


def keep_raw_names_up_to(client: Elasticsearch, characters: int) -> None:
    raw = {"raw": {"type": "keyword", "ignore_above": characters}}
    name = {**LINK_MAPPING["properties"]["product_name"], "fields": raw}
    client.indices.put_mapping(index=INDEX, properties={"product_name": name})


@pytest.fixture
def client(running_stack: RunningStack) -> Iterator[Elasticsearch]:
    with Elasticsearch(running_stack.settings.es_url) as client:
        yield client


@pytest.fixture
def refused_by(running_stack: RunningStack, chain: dict[str, dict[str, Any]], client: Elasticsearch) -> str:
    """The realtime run whose last product the index refused, because its owner had changed the mapping."""
    generations = IndexGenerations(client, INDEX)
    meta = {"kind": HELD}
    generations.create(f"{INDEX}__g1", LINK_MAPPING, shards=1, replicas=0, bulk_load=False, meta=meta)
    generations.promote(f"{INDEX}__g1")
    keep_raw_names_up_to(client, 100_000)
    products = running_stack.folder / "own_products.txt"
    products.write_text("\n".join(PRODUCTS))
    api = running_stack.api
    run = api.trigger("product_linking", {"products": str(products), "index": INDEX, "mode": "realtime"})
    assert api.wait("product_linking", run, seconds=240) == "success"
    assert api.xcom("product_linking", run, "publish")["counts"] == {"read": 3, "written": 2, "skipped": {}, "dead": 1}
    return str(api.xcom("product_linking", run, "plan", key="build")).rpartition("/")[2]


def replay(running: RunningStack, **values: object) -> dict[str, Any]:
    run = running.api.trigger(DAG, values)
    assert running.api.wait(DAG, run, seconds=120) == "success"
    summary: dict[str, Any] = running.api.xcom(DAG, run, "replay")
    return summary


def test_letters_are_shown_and_after_the_cause_is_mended_sent_once(
    running_stack: RunningStack, refused_by: str, client: Elasticsearch
) -> None:
    api = running_stack.api
    shown = replay(running_stack)
    assert shown["letters"] == 1
    assert [told["run"] for told in shown["runs"]] == [refused_by]
    assert running_stack.documents(INDEX) == 2

    keep_raw_names_up_to(client, 8191)
    lock = dead_letter_folder(running_stack.settings) / f".{refused_by}.jsonl.replay.lock"
    with locked(lock, purpose="a replay by hand"):
        run = api.trigger(DAG, {"dry_run": False, "run": refused_by})
        deadline = time.monotonic() + 120
        while (state := api.task_states(DAG, run)["replay"]) != "up_for_retry":
            assert state not in FINISHED, running_stack.task_log(DAG, run, "replay")
            assert time.monotonic() < deadline, state
            time.sleep(0.1)
    assert api.wait(DAG, run, seconds=120) == "success"
    assert "is held by: a replay by hand" in running_stack.task_log(DAG, run, "replay", try_number=1)
    assert [task["try_number"] for task in running_stack.tasks(DAG, run)] == [2]
    assert api.xcom(DAG, run, "replay") == {**shown, "indexed": 1, "skipped": {}, "dead": 0}
    found = {hit["_source"]["product_name"] for hit in client.search(index=INDEX)["hits"]["hits"]}
    assert found == set(PRODUCTS)

    assert replay(running_stack, dry_run=False) == {"letters": 0, "runs": []}
    assert running_stack.documents(INDEX) == 3
