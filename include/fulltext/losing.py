"""A new index that nobody asked for drops no document."""

from __future__ import annotations

from collections.abc import Container

from elasticsearch import Elasticsearch

from include.elastic.ledger import key_of
from include.elastic.paging import every
from include.errors import GateFailed

NAMED = 3


def refuse_losing(client: Elasticsearch, served: str, spoken: Container[bytes], *, why: str) -> None:
    """Let documents that the input has not, or not readable, go with the index ``served`` only when that is meant.

    Raises:
        GateFailed: ``served`` has documents whose keys are not in ``spoken``; the message names some.
    """
    ids = (str(one["document_id"]) for one in every(client, served, ["document_id"]))
    lost = [one for one in ids if key_of(one) not in spoken]
    if lost:
        msg = (
            f"A new index is needed ({why}), and {len(lost):,} documents of {served} would not be in it, for example "
            f"{lost[:NAMED]}: the input lacks them, or they are set aside. Give all documents; or, when they are to "
            "go, run again with rebuild."
        )
        raise GateFailed(msg)
