"""The DAGs in real Airflow: the chain by assets, forms, backfill, what travels between tasks."""

from __future__ import annotations

import json
import re
import shlex
from datetime import timedelta
from typing import Any

import httpx
import pytest
from elasticsearch import Elasticsearch

from include.errors import InputError
from include.linking.parameters import LinkingParameters
from include.local_stack import stack
from include.sources.build import Build
from include.sources.builds import builds_root
from tests.integration.airflow.conftest import FEW
from tests.integration.running_stack import DAILY_PRODUCTS, DAYS, KEYWORDS, PRODUCTS, RunningStack

XCOM_LIMIT = 4096


def test_one_export_leads_to_linked_products(running_stack: RunningStack, chain: dict[str, dict[str, Any]]) -> None:
    assert chain["model_export"]["gate"]["min_cosine"] >= 0.9999
    assert chain["triton_deployment"]["version"] == 1
    assert chain["keyword_vector_index"]["counts"]["written"] == KEYWORDS
    assert chain["keyword_vector_index"]["gate"]["recall"] >= 0.98
    assert chain["keyword_text_index"]["counts"]["written"] == KEYWORDS
    assert chain["product_linking"]["counts"] == {"read": PRODUCTS, "written": PRODUCTS, "skipped": {}, "dead": 0}
    assert chain["product_linking"]["keyword_generation"] == chain["keyword_vector_index"]["generation"]
    assert running_stack.documents("product_keywords") == PRODUCTS
    assert running_stack.documents("keywords") == KEYWORDS


def test_a_run_that_an_event_caused_takes_all_of_the_input_whatever_the_form_s_limit_is(
    running_stack: RunningStack, chain: dict[str, dict[str, Any]]
) -> None:
    assert LinkingParameters().limit > 0
    build = Build.load(builds_root(running_stack.settings, "links") / chain["product_linking"]["generation"])
    assert build.facts["parameters"]["limit"] == 0


def test_what_the_demo_shows_is_true_and_its_queries_work(
    running_stack: RunningStack, chain: dict[str, dict[str, Any]], capsys: pytest.CaptureFixture[str]
) -> None:
    from include.cli.demo import queries, show

    show(running_stack.settings, chain, 1.0)
    shown = capsys.readouterr().out
    assert stack.local_airflow(running_stack.settings).password in shown
    assert all(dag in shown for dag in ("keyword_vector_index", "keyword_text_index", "product_linking"))
    with Elasticsearch(running_stack.settings.es_url) as client:
        name = next(iter(client.search(index="product_keywords", size=1)["hits"]["hits"]))["_source"]["product_name"]
    *curls, by_meaning = queries(running_stack.settings, name)
    by_name, by_keyword = map(shlex.split, curls)
    answers = [httpx.post(q[4], json=json.loads(q[6]), trust_env=False).json()["hits"] for q in (by_name, by_keyword)]
    assert answers[0]["hits"][0]["_source"]["product_name"] == name
    assert "error" not in answers[1]
    assert by_meaning in shown
    found = running_stack.run("sh", "-c", by_meaning)
    assert len(re.findall(r" \d\.\d{4} ", found)) == 10
    assert "hiking" in found


def test_figures_travel_with_the_asset_events(running_stack: RunningStack, chain: dict[str, dict[str, Any]]) -> None:
    events = running_stack.get("assets/events?limit=100")["asset_events"]
    extras = {event["name"]: event["extra"] for event in events}
    assert extras["keyword_vectors"]["generation"] == chain["keyword_vector_index"]["generation"]
    assert extras["product_links"]["counts"]["written"] > 0
    assert extras["served_model"]["fingerprint"] == chain["keyword_vector_index"]["model_fingerprint"]


def test_a_backfill_of_three_days_links_each_days_own_file(
    running_stack: RunningStack, chain: dict[str, dict[str, Any]]
) -> None:
    api, dag = running_stack.api, "product_linking_daily"
    before = running_stack.documents("product_keywords")
    api.set_paused(dag, paused=False)
    last = DAYS[-1] + timedelta(days=1)  # a day without a file
    backfill = api.backfill(dag, DAYS[0], last + timedelta(hours=23, minutes=59, seconds=59))
    api.wait_backfill(backfill, seconds=300)
    runs = {r["data_interval_end"][:10]: r["dag_run_id"] for r in api.runs(dag) if r["run_type"] == "backfill"}
    assert len(runs) == len(DAYS) + 1
    for day in DAYS:
        utc_day = f"{(day - timedelta(days=1)):%Y-%m-%d}"  # 06:00 in Seoul is 21:00 UTC of the day before
        counts = api.xcom(dag, runs[utc_day], "publish")["counts"]
        assert counts["read"] == counts["written"] + sum(counts["skipped"].values()) == DAILY_PRODUCTS
        names = (running_stack.folder / f"daily_{day:%Y-%m-%d}.txt").read_text().splitlines()
        with Elasticsearch(running_stack.settings.es_url) as client:
            found = client.mget(index="product_keywords", ids=names)["docs"]
        assert all(document["found"] for document in found)
    without = runs[f"{(last - timedelta(days=1)):%Y-%m-%d}"]
    assert set(api.task_states(dag, without).values()) == {"skipped"}
    missing = running_stack.folder / f"daily_{last:%Y-%m-%d}.txt"
    said = f"No input for {last:%Y-%m-%d}: {missing} does not exist. Nothing to do."
    assert said in running_stack.task_log(dag, without, "plan")
    after = running_stack.documents("product_keywords")
    assert before < after <= before + len(DAYS) * DAILY_PRODUCTS


def test_nothing_that_travels_between_tasks_is_larger_than_4_kib(
    running_stack: RunningStack, chain: dict[str, dict[str, Any]]
) -> None:
    paths = (f"dags/{dag}/dagRuns/~/taskInstances/~/xcomEntries?limit=100" for dag in chain)
    entries = [entry for path in paths for entry in running_stack.get(path)["xcom_entries"]]
    assert {entry["dag_id"] for entry in entries} == set(chain)
    for entry in entries:
        run = f"dags/{entry['dag_id']}/dagRuns/{entry['run_id']}/taskInstances/{entry['task_id']}"
        value = running_stack.get(f"{run}/xcomEntries/{entry['key']}?map_index={entry['map_index']}")["value"]
        assert len(json.dumps(value).encode()) < XCOM_LIMIT, entry


@pytest.mark.parametrize(
    ("name", "value"), [("top_k", 5000), ("mode", "fast"), ("index", "Bad Name"), ("limit", "all")]
)
def test_rest_and_command_line_refuse_with_the_same_words(
    running_stack: RunningStack, chain: dict[str, dict[str, Any]], name: str, value: object
) -> None:
    with pytest.raises(InputError) as by_rest:
        running_stack.api.trigger("product_linking", {name: value})
    with pytest.raises(InputError) as by_command:
        LinkingParameters.checked({name: value})
    assert str(by_command.value).splitlines()[0] in str(by_rest.value)


def test_a_manual_run_with_its_own_values_serves_a_new_generation(
    running_stack: RunningStack, few_links: dict[str, Any]
) -> None:
    assert few_links["counts"]["written"] == running_stack.documents("few_links") == FEW


def test_without_a_login_nothing_is_shown(running_stack: RunningStack) -> None:
    url = stack.local_airflow(running_stack.settings).url
    assert httpx.get(f"{url}/api/v2/dags", trust_env=False).status_code == 401
