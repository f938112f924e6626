"""No document is lost that nobody wanted gone: neither with an old index, nor because it could not be read."""

from __future__ import annotations

from collections.abc import Container, Iterable

from elasticsearch import Elasticsearch

from include.elastic.ledger import key_of
from include.elastic.paging import every
from include.errors import GateFailed, InputError
from include.fulltext.documents import SetAside

NAMED = 3


def refuse_losing(client: Elasticsearch, served: str, spoken: Container[bytes], *, why: str) -> None:
    """Let documents that the input has not, or not readable, go with the index ``served`` only when that is meant.

    Raises:
        GateFailed: ``served`` has documents whose keys are not in ``spoken``; the message names some.
    """
    if lost := _others(client, served, spoken):
        msg = (
            f"A new index is needed ({why}), and {len(lost):,} documents of {served} would not be in it, for example "
            f"{lost[:NAMED]}: the input lacks them, or they are set aside. Give all documents; or, when they are to "
            "go, run again with rebuild."
        )
        raise GateFailed(msg)


def refuse_unread(client: Elasticsearch, served: str, seen: Container[bytes], set_aside: Iterable[SetAside]) -> None:
    """Let no document of ``served`` go for not being in the input, where parts of the input could not be looked at.

    Raises:
        InputError: ``served`` has documents whose keys are not in ``seen``; the message names what could not be read.
    """
    unread = [one.detail for one in set_aside if one.unread]
    if unread and (lost := _others(client, served, seen)):
        more = f" (and {len(unread) - NAMED} more)" if len(unread) > NAMED else ""
        msg = (
            f"Parts of the input cannot be read: {'; '.join(unread[:NAMED])}{more}. {len(lost):,} documents of "
            f"{served} may stand there, for example {lost[:NAMED]}, so none is deleted. Make them readable or take "
            "them out of the input, and run again."
        )
        raise InputError(msg)


def _others(client: Elasticsearch, served: str, keys: Container[bytes]) -> list[str]:
    """The ids of ``served`` whose keys are not among ``keys``."""
    ids = (str(one["document_id"]) for one in every(client, served, ["document_id"]))
    return [one for one in ids if key_of(one) not in keys]
