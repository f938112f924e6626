"""What every task has unless its DAG says otherwise: who, how often to try again, and after which failures."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

from airflow.sdk import ExceptionRetryPolicy, RetryAction, RetryRule

from include.settings import get_settings

POOL_TRITON = "triton"
POOL_QDRANT = "qdrant"
POOL_ELASTICSEARCH = "elasticsearch"
POOL_MYSQL = "mysql"
POOL_REDIS = "redis"
POOLS = (POOL_TRITON, POOL_QDRANT, POOL_ELASTICSEARCH, POOL_MYSQL, POOL_REDIS)

RETRY_DELAY = timedelta(seconds=get_settings().retry_seconds)
RETRY_BY_CLASS = ExceptionRetryPolicy(
    rules=[
        RetryRule("include.errors.FatalError", RetryAction.FAIL, reason="it would fail again: see the message"),
        RetryRule("include.errors.TransientError", RetryAction.RETRY, RETRY_DELAY, reason="a server may come back"),
    ]
)

DEFAULT_ARGS: dict[str, Any] = {
    "owner": "search",
    "retries": 3,
    "retry_delay": RETRY_DELAY,  # after other failures: a task that was killed, an error that nobody foresaw
    "retry_policy": RETRY_BY_CLASS,
}
