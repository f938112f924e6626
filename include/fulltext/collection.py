"""The documents of one index: what is there, read back in pages."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from elasticsearch import Elasticsearch

from include.elastic.document_id import document_id
from include.elastic.errors import translated

PAGE = 1000
KEEP_ALIVE = "5m"


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


def every(client: Elasticsearch, index: str, fields: Sequence[str], *, page: int = PAGE) -> Iterator[Mapping[str, Any]]:
    """``fields`` of all documents that can be searched, in the index's own order, as of one moment."""
    with translated(client, f"read all documents of {index}"):
        moment = client.open_point_in_time(index=index, keep_alive=KEEP_ALIVE)["id"]
        try:
            after: list[Any] | None = None
            while True:
                answer = client.search(
                    pit={"id": moment, "keep_alive": KEEP_ALIVE},
                    size=page,
                    sort=[{"_shard_doc": "asc"}],
                    source_includes=list(fields),
                    track_total_hits=False,
                    search_after=after,
                )
                hits = answer["hits"]["hits"]
                moment = answer.get("pit_id", moment)
                if not hits:
                    return
                for hit in hits:
                    yield hit["_source"]
                after = hits[-1]["sort"]
        finally:
            client.options(ignore_status=404).close_point_in_time(id=moment)
