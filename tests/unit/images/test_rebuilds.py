"""Rebuilds as Airflow's API sees them."""

from __future__ import annotations

from typing import Any

import pytest

from include.airflow_api import AirflowApi
from include.images.api.access import Caller
from include.images.api.rebuilds import AirflowRebuilder, RebuildOf, UnknownRun


def test_a_rebuild_is_a_run_of_one_edition() -> None:
    class Airflow(AirflowApi):
        def __init__(self) -> None:
            super().__init__("http://127.0.0.1:1", token="x")

        def is_paused(self, dag: str) -> bool:
            return False

        def trigger(self, dag: str, conf: dict[str, Any], **_: Any) -> str:
            return f"{dag} {conf}"

    started = AirflowRebuilder(lambda _: Airflow()).start(RebuildOf("defect", "v1"), Caller("somebody"))
    assert started == "image_index {'type': 'defect', 'edition': 'v1', 'allow_empty': False}"


@pytest.mark.parametrize("run_id", [".", ".."])
def test_a_run_s_id_leads_to_no_other_path_of_airflow(run_id: str) -> None:
    def login(_: Caller) -> AirflowApi:
        pytest.fail("Airflow was asked")

    with pytest.raises(UnknownRun):
        AirflowRebuilder(login).state(run_id, Caller("somebody"))
