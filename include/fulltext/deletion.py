"""Documents taken out of a collection by name."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from typing import Any

from include.elastic.connection import EsConnection, connect
from include.elastic.document_id import document_id
from include.elastic.index_generations import IndexGenerations
from include.elastic.ledger import Ledger, key_of, ledger_file
from include.elastic.locks import writing_index
from include.elastic.removal import remove_documents
from include.errors import InputError
from include.fulltext.mapping import HELD
from include.fulltext.parameters import DocumentDeleteParameters
from include.generations.run import Run
from include.settings import Settings

log = logging.getLogger(__name__)


def delete_documents(
    parameters: DocumentDeleteParameters, ids: Sequence[str], run: Run, settings: Settings
) -> dict[str, Any]:
    """Delete the documents ``ids`` with all their chunks; return how many were there and how many not.

    They stay away when an earlier day is indexed again; a later run that finds them in its input brings them back.

    Raises:
        InputError: there is no such collection, or no id is given.
        ContractError: the name serves something else.
        ServiceUnavailable: Elasticsearch does not answer; run it again.
    """
    wanted = list(dict.fromkeys(ids))
    if not wanted or not all(wanted):
        msg = "Give the ids of the documents to delete, none of them empty."
        raise InputError(msg)
    version = int(run.date.timestamp() * 1000)
    alias = parameters.collection
    with (
        connect(EsConnection.from_settings(settings, urls=parameters.es_url)) as client,
        writing_index(settings, alias, purpose=f"take documents out of {alias}", alone=True),
    ):
        generations = IndexGenerations(client, alias)
        served = generations.resolve()
        if served is None:
            msg = f"There is no collection {alias!r} of documents. Check the name."
            raise InputError(msg)
        generations.refuse_foreign(HELD, unknown=True)
        Ledger(ledger_file(settings, alias)).note(map(key_of, wanted), version)
        removed = remove_documents(client, served, map(document_id, wanted), version=version)
        generations.refresh(served)
        return {
            "collection": alias,
            "generation": served,
            "deleted": removed.deleted,
            "missing": removed.missing,
            "newer": removed.newer,
            "documents": generations.count(served),
        }
