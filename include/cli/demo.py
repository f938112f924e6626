"""``embsearch demo``: from nothing to linked products, through Airflow, as a user would."""

from __future__ import annotations

import logging
import shlex
import time
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

import typer

from include.cli.dag_runs import caused_run as _caused_run
from include.cli.dag_runs import finished
from include.cli.session import command_session
from include.settings import Settings, get_settings

if TYPE_CHECKING:
    from include.airflow_api import AirflowApi

app = typer.Typer()
log = logging.getLogger(__name__)

KEYWORDS, PRODUCTS, DAILY_PRODUCTS = 5_000, 2_000, 200
FIRST = "model_export"
CHAIN = ("triton_deployment", "keyword_vector_index", "keyword_text_index", "product_linking")


@app.command("demo")
def demo() -> None:
    """Start everything, export and deploy a model, index keywords, link products, and show the links."""
    from include.local_stack import stack  # noqa: PLC0415 — help must be quick

    with command_session("demo", get_settings()):
        began = time.monotonic()
        stack.up(get_settings())
        settings = get_settings()
        write_demo_data(settings)
        install_export(settings)
        log.info(
            "Running the DAGs, here with their tasks by state; watch them at %s", stack.local_airflow(settings).url
        )
        try:
            with stack.airflow_api(settings) as api:
                api.wait_for_dags({FIRST, *CHAIN})
                summaries = run_chain(api)
        except BaseException:
            log.info("The stack goes on running: make status, make logs, make down.")
            raise
        show(settings, summaries, time.monotonic() - began)


def install_export(settings: Settings) -> None:
    """What the first DAG would install by itself, here where its size and progress are seen."""
    from include.local_stack.environments import ensure  # noqa: PLC0415
    from include.model_export.launch import exported_folder  # noqa: PLC0415

    if not exported_folder(settings.model, settings).exists():
        ensure(settings, "export")


def write_demo_data(settings: Settings) -> None:
    """English keywords and products, and products of the last three days for a backfill; the same at every demo."""
    from include.settings import PROJECT_ROOT  # noqa: PLC0415
    from include.sources.demo_data import write_daily, write_once  # noqa: PLC0415

    write_once(PROJECT_ROOT / settings.keywords, "keywords", KEYWORDS)
    write_once(PROJECT_ROOT / settings.products, "products", PRODUCTS)
    write_daily(PROJECT_ROOT, settings.daily_products, DAILY_PRODUCTS, datetime.now(UTC))


def run_chain(api: AirflowApi) -> dict[str, dict[str, Any]]:
    """Trigger the first DAG and wait for those that its asset events cause; return each one's figures."""
    before = datetime.now(UTC)
    run = api.trigger(FIRST)
    summaries = {FIRST: _finished(api, FIRST, run)}
    for dag_id in CHAIN:
        summaries[dag_id] = _finished(api, dag_id, _caused_run(api, dag_id, before))
    return summaries


def _finished(api: AirflowApi, dag_id: str, run: str) -> dict[str, Any]:
    summary: dict[str, Any] = finished(api, dag_id, run, LAST_TASK[dag_id])
    return summary


LAST_TASK = {
    FIRST: "export",
    "triton_deployment": "announce",
    "keyword_vector_index": "publish",
    "keyword_text_index": "publish",
    "product_linking": "publish",
}


def show(settings: Settings, summaries: dict[str, dict[str, Any]], wall: float) -> None:
    """The table of stages, ten linked products, where Airflow is, and queries to try."""
    from include.cli.tables import console, print_samples, stage_table  # noqa: PLC0415
    from include.linking.documents import sample_documents  # noqa: PLC0415
    from include.local_stack.airflow import USER  # noqa: PLC0415
    from include.local_stack.stack import local_airflow  # noqa: PLC0415
    from include.sources.build import Build  # noqa: PLC0415
    from include.sources.builds import builds_root  # noqa: PLC0415

    links = summaries["product_linking"]
    build = Build.load(builds_root(settings, "links") / links["generation"])
    documents = sample_documents(build, settings, 10)
    print_samples(documents)
    console.print(stage_table({dag: s for dag, s in summaries.items() if "counts" in s}))
    airflow = local_airflow(settings)
    console.print(f"Airflow: {airflow.url}  user {USER}  password {airflow.password}")
    console.print("Try:")
    for line in queries(settings, documents[0].source["product_name"]):
        console.print(f"  {line}", soft_wrap=True)
    console.print(f"Done in {wall:.0f} s. The stack is running: make status, make logs, make down.")


def queries(settings: Settings, product: str) -> list[str]:
    """Three commands to paste: by name, by keyword and score, by meaning."""
    url = f"{settings.es_url}/{settings.link_index}/_search?pretty"
    name = {"query": {"match": {"product_name": product}}, "size": 3}
    nested = {
        "nested": {
            "path": "keywords",
            "query": {
                "bool": {
                    "must": [
                        {"match": {"keywords.keyword": "hiking"}},
                        {"range": {"keywords.score": {"gte": 0.6}}},
                    ]
                }
            },
            "inner_hits": {"size": 3},
        }
    }
    return [*(_curl(url, body) for body in (name, {"query": nested, "size": 3})), _search()]


def _curl(url: str, body: dict[str, Any]) -> str:
    import json  # noqa: PLC0415

    return f"curl -s -H 'Content-Type: application/json' {shlex.quote(url)} -d {shlex.quote(json.dumps(body))}"


def _search() -> str:
    return f"{Path('.local/venvs/airflow/bin/embsearch')} search 'rainproof rucksack for trekking'"
