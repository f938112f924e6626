"""The whole stack with Airflow, as users run it, with small data."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta, timezone
from pathlib import Path
from typing import Any

import pytest
from elasticsearch import Elasticsearch

from include.local_stack import stack
from include.local_stack.airflow_api import AirflowApi
from include.settings import Settings
from include.sources.generators import write_texts
from tests.conftest import remove_outside, settings_in

KEYWORDS, PRODUCTS, DAILY_PRODUCTS = 300, 200, 40
SEOUL = timezone(timedelta(hours=9))
DAYS = [datetime(2026, 11, day, tzinfo=SEOUL) for day in (16, 17, 18)]


@dataclass(frozen=True)
class RunningStack:
    """A started stack."""

    settings: Settings
    api: AirflowApi
    folder: Path

    def documents(self, index: str) -> int:
        with Elasticsearch(self.settings.es_url) as client:
            return int(client.count(index=index)["count"])


@pytest.fixture(scope="session")
def running_stack(exported_minilm: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningStack]:
    """Triton, Elasticsearch, the Qdrant engine and Airflow; the demo model's export stands already."""
    folder = tmp_path_factory.mktemp("airflow")
    own = settings_in(folder)
    shutil.copytree(exported_minilm.parent.parent, own.state_dir / "models")
    files = {
        "keywords": str(folder / "keywords.txt"),
        "products": str(folder / "products.txt"),
        "daily_products": str(folder / "daily_{date}.txt"),
    }
    own = Settings(_env_file=None, **{**own.model_dump(include=own.model_fields_set), **files})
    write_texts(folder / "keywords.txt", "keywords", KEYWORDS, language="en", seed=0)
    write_texts(folder / "products.txt", "products", PRODUCTS, language="en", seed=0)
    for number, day in enumerate(DAYS):
        path = folder / f"daily_{day:%Y-%m-%d}.txt"
        write_texts(path, "products", DAILY_PRODUCTS, language="en", seed=100 + number)
    try:
        stack.up(own)
        served = stack.served_settings(own)
        with stack.airflow_api(own) as api:
            yield RunningStack(served, api, folder)
    finally:
        stack.down(own)
        remove_outside(own)


@pytest.fixture(scope="session")
def chain(running_stack: RunningStack) -> dict[str, dict[str, Any]]:
    """The figures of each DAG after the chain that begins with the export."""
    from include.cli.demo import CHAIN, FIRST, run_chain

    running_stack.api.wait_for_dags({FIRST, *CHAIN, "product_linking_daily", "dead_letter_replay"})
    return run_chain(running_stack.api)


def since() -> datetime:
    return datetime.now(UTC)
