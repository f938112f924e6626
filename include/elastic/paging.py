"""All documents of an index, read back in pages as of one moment."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import suppress
from typing import Any

from elastic_transport import TransportError
from elasticsearch import ApiError, Elasticsearch

from include.elastic.errors import translated

PAGE = 1000
KEEP_ALIVE = "30m"  # between two pages, whose documents are worked on meanwhile


def pages(
    client: Elasticsearch,
    index: str,
    fields: Sequence[str],
    *,
    query: Mapping[str, Any] | None = None,
    page: int = PAGE,
) -> Iterator[list[Mapping[str, Any]]]:
    """``fields`` of all documents that can be searched, or of those that fit ``query``, in the index's own order.

    What is written after the first page is asked for is not seen.

    Raises:
        EmbsearchError: those of :func:`include.elastic.errors.translated`.
    """
    action = f"read all documents of {index}"
    with translated(client, action):
        moment = client.open_point_in_time(index=index, keep_alive=KEEP_ALIVE)["id"]
    try:
        after: list[Any] | None = None
        while True:
            with translated(client, action):
                answer = client.search(
                    pit={"id": moment, "keep_alive": KEEP_ALIVE}, query=query, sort=["_shard_doc"],
                    search_after=after, size=page, source_includes=fields, track_total_hits=False,
                )  # fmt: skip
            moment = answer.get("pit_id", moment)
            hits = answer["hits"]["hits"]
            if not hits:
                return
            yield [hit["_source"] for hit in hits]
            after = hits[-1]["sort"]
    finally:
        with suppress(ApiError, TransportError):  # it ends by itself
            client.close_point_in_time(id=moment)


def every(client: Elasticsearch, index: str, fields: Sequence[str], *, page: int = PAGE) -> Iterator[Mapping[str, Any]]:
    """The documents of all :func:`pages`, one after the other."""
    for documents in pages(client, index, fields, page=page):
        yield from documents
