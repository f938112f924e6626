"""A trigger form can be sent as it comes up."""

from __future__ import annotations

from pathlib import Path

import pytest
from airflow.dag_processing.dagbag import DagBag

from include.settings import PROJECT_ROOT

MUST_BE_FILLED = {("faiss_rollback", "type")}  # nobody rolls back all types without having said so


@pytest.mark.parametrize("path", sorted((PROJECT_ROOT / "dags").glob("*.py")), ids=lambda path: path.stem)
def test_no_field_keeps_the_button_grey_but_those_that_a_user_must_fill(dagbag: DagBag, path: Path) -> None:
    """The page takes an empty field for null, and null for an error unless the field's type allows it."""
    params = dagbag.dags[path.stem].params
    empty = {name for name in params if params.get_param(name).value == ""}
    refused = {name for name in empty if "null" not in params.get_param(name).schema["type"]}
    assert {(path.stem, name) for name in refused} <= MUST_BE_FILLED
    for name in empty - refused:
        params.get_param(name).resolve(None)
