"""Documents taken out of an index, by id."""

from __future__ import annotations

import itertools
import threading
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

import orjson
from elastic_transport import TransportError
from elasticsearch import ApiError, Elasticsearch

from include.elastic.bulk import DEADLINE_SECONDS
from include.elastic.bulk_items import Outcome, outcome
from include.elastic.errors import hosts_of, meaning, reason_in, translated
from include.elastic.pace import Outage, Patience
from include.errors import AccessDenied, FatalError, InputError, TransientError

TOGETHER = 500  # ids in one request


@dataclass(frozen=True)
class Removed:
    """What became of the ids given: their number is the sum of all fields."""

    deleted: int = 0
    missing: int = 0  # were not there
    newer: int = 0  # stay: a newer run wrote them

    def __add__(self, other: Removed) -> Removed:
        return Removed(self.deleted + other.deleted, self.missing + other.missing, self.newer + other.newer)

    @property
    def given(self) -> int:
        """All ids."""
        return self.deleted + self.missing + self.newer


def remove_documents(
    client: Elasticsearch, index: str, ids: Iterable[str], *, version: int, deadline_seconds: float = DEADLINE_SECONDS
) -> Removed:
    """Delete the documents ``ids`` of ``index``, except those that stand with a higher external version.

    Raises:
        InputError: there is no such index.
        AccessDenied: the login may not delete here.
        ServiceUnavailable: nothing went well for ``deadline_seconds``; doing all of it again does no harm.
    """
    with translated(client, f"look for index {index} (right view_index_metadata)"):
        if not client.indices.exists(index=index):  # Elasticsearch would make one
            msg = f"Elasticsearch at {hosts_of(client)} has no index {index!r}. Check the name."
            raise InputError(msg)
    patience = Patience(deadline_seconds, threading.Event(), Outage())
    total = Removed()
    waiting = iter(ids)
    while batch := list(itertools.islice(waiting, TOGETHER)):
        while batch:
            try:
                answers = _request(client, index, batch, version)
            except (ApiError, TransportError) as error:
                problem = meaning(error, f"take documents out of {index}", hosts_of(client))
                if not isinstance(problem, TransientError):
                    raise problem from error
                patience.wait(str(problem))
                continue
            removed, batch, why = _judge(client, index, batch, answers)
            total += removed
            if removed.given:  # an answer that refuses every deletion is no progress
                patience.progressed()
            if batch:
                patience.wait(f"{len(batch)} deletions of {index} are refused for now ({why})")
    return total


def _request(client: Elasticsearch, index: str, ids: Sequence[str], version: int) -> list[dict[str, Any]]:
    actions = [{"delete": {"_id": one, "version": version, "version_type": "external_gte"}} for one in ids]
    body: Any = b"".join(orjson.dumps(action) + b"\n" for action in actions)
    answer = client.bulk(
        operations=body,
        index=index,
        filter_path="items.*.status,items.*.result,items.*.error",
    )
    return [item["delete"] for item in answer["items"]]


def _judge(
    client: Elasticsearch, index: str, ids: Sequence[str], answers: Sequence[dict[str, Any]]
) -> tuple[Removed, list[str], str]:
    """What is done, and the ids that are to be sent again with the reason."""
    removed, again, why = Removed(), [], ""
    for one, answer in zip(ids, answers, strict=True):
        kind = outcome(answer)
        if answer.get("result") == "not_found":
            removed += Removed(missing=1)
        elif kind is Outcome.INDEXED:
            removed += Removed(deleted=1)
        elif kind is Outcome.OLDER:
            removed += Removed(newer=1)
        elif kind is Outcome.LATER:
            again.append(one)
            why = ": ".join(reason_in(answer))
        else:
            cause = ": ".join(reason_in(answer))
            msg = f"Elasticsearch at {hosts_of(client)}: cannot delete {one[:100]!r} from {index}: {cause}"
            raise AccessDenied(f"{msg}. Grant the right.") if kind is Outcome.DENIED else FatalError(msg)
    return removed, again, why
