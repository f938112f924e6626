"""What every task has unless its DAG says otherwise: who, how often to try again, and after which failures."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

from airflow.sdk import ExceptionRetryPolicy, RetryAction, RetryRule

POOL_TRITON = "triton"
POOL_QDRANT = "qdrant"
POOL_ELASTICSEARCH = "elasticsearch"
POOLS = (POOL_TRITON, POOL_QDRANT, POOL_ELASTICSEARCH)

RETRY_BY_CLASS = ExceptionRetryPolicy(
    rules=[
        RetryRule("include.errors.FatalError", RetryAction.FAIL, reason="it would fail again: see the message"),
        RetryRule(
            "include.errors.TransientError", RetryAction.RETRY, timedelta(seconds=30), reason="a server may come back"
        ),
    ]
)

DEFAULT_ARGS: dict[str, Any] = {
    "owner": "search",
    "retries": 3,
    "retry_delay": timedelta(seconds=10),
    "retry_policy": RETRY_BY_CLASS,
}
