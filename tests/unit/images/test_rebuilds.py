"""Rebuilds as Airflow's API sees them."""

from __future__ import annotations

import pytest

from include.images.api.access import Caller
from include.images.api.rebuilds import AirflowRebuilder, UnknownRun
from include.local_stack.airflow_api import AirflowApi


@pytest.mark.parametrize("run_id", [".", ".."])
def test_a_run_s_id_leads_to_no_other_path_of_airflow(run_id: str) -> None:
    def login(_: Caller) -> AirflowApi:
        pytest.fail("Airflow was asked")

    with pytest.raises(UnknownRun):
        AirflowRebuilder(login).state(run_id, Caller("somebody"))
