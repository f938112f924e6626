"""What is known of documents that are in an index."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from elasticsearch import Elasticsearch

from include.elastic.document_id import document_id
from include.elastic.errors import translated


@dataclass(frozen=True)
class Standing:
    """What is known of a document that is in the index."""

    content_hash: str
    version: int


def standing(client: Elasticsearch, index: str, ids: Sequence[str]) -> dict[str, Standing]:
    """What stands of the documents ``ids``, by id, as last written, whether or not it can be searched yet."""
    if not ids:
        return {}
    names = {document_id(one): one for one in ids}
    with translated(client, f"read documents of {index}"):
        answers = client.mget(index=index, ids=list(names), source_includes=["content_hash"])["docs"]
    return {
        names[answer["_id"]]: Standing(str(answer["_source"].get("content_hash", "")), int(answer["_version"]))
        for answer in answers
        if answer.get("found")
    }
