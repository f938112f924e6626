"""An index from before there were generations, which itself has the alias' name, becomes one of them."""

from __future__ import annotations

import hashlib
import logging
from datetime import UTC, datetime

from elasticsearch import Elasticsearch

from include.elastic.errors import translated
from include.generations.names import generation_name

log = logging.getLogger(__name__)

CLONE_SECONDS = 3600.0


def clone_as_generation(client: Elasticsearch, alias: str) -> tuple[str, int]:
    """Clone the index called ``alias`` under a generation's name; return that name and how many replicas it had.

    Writers of the old index are held off from here on. May be repeated.

    Raises:
        The errors of :func:`include.elastic.errors.translated`.
    """
    with translated(client, f"keep index {alias} as a generation"):
        settings = client.indices.get_settings(index=alias)[alias]["settings"]["index"]
        created = datetime.fromtimestamp(int(settings["creation_date"]) / 1000, UTC)
        name = generation_name(alias, created, hashlib.sha256(settings["uuid"].encode()).hexdigest())
        client.options(ignore_status=404).indices.delete(index=name)  # of an attempt that was interrupted
        client.indices.add_block(index=alias, block="write")
        patient = client.options(request_timeout=CLONE_SECONDS)
        patient.indices.clone(index=alias, target=name, settings={"index.blocks.write": None})
    log.info("The data of index %s are kept as %s", alias, name)
    return name, int(settings["number_of_replicas"])
