"""The project's DAGs, parsed once."""

from __future__ import annotations

import pytest
from airflow.dag_processing.dagbag import DagBag

from include.settings import PROJECT_ROOT

DAG_FOLDER = PROJECT_ROOT / "dags"


@pytest.fixture(scope="session")
def dagbag() -> DagBag:
    return DagBag(str(DAG_FOLDER))
