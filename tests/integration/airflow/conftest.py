"""The chain of DAGs, run once on the stack that all tests share."""

from __future__ import annotations

from typing import Any

import pytest

from tests.integration.running_stack import RunningStack

FEW = 20


@pytest.fixture(scope="session")
def chain(running_stack: RunningStack) -> dict[str, dict[str, Any]]:
    """The figures of each DAG after the chain that begins with the export."""
    from include.cli.demo import CHAIN, FIRST, run_chain

    running_stack.api.wait_for_dags({FIRST, *CHAIN, "product_linking_daily", "dead_letter_replay"})
    return run_chain(running_stack.api)


@pytest.fixture(scope="session")
def few_links(running_stack: RunningStack, chain: dict[str, dict[str, Any]]) -> dict[str, Any]:
    """The figures of a linking by hand with values of its own."""
    api = running_stack.api
    run = api.trigger("product_linking", {"limit": FEW, "top_k": 3, "index": "few_links"})
    assert api.wait("product_linking", run, seconds=240) == "success"
    summary: dict[str, Any] = api.xcom("product_linking", run, "publish")
    return summary
