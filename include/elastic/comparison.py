"""What one index has and another lacks: read in pages, compared by id."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Any

from elasticsearch import Elasticsearch

from include.elastic.errors import translated

PAGE = 1000
IDS = 5000  # asked for in one request
KEEP_ALIVE = "30m"  # between two pages, whose documents are worked on meanwhile


def last_write(client: Elasticsearch, index: str) -> int:
    """A number that every later write into ``index`` is above; -1 when nothing was written.

    Writes are numbered in each shard by itself: this is the smallest of the shards' last numbers.
    """
    with translated(client, f"read the statistics of index {index} (right monitor)"):
        found = client.indices.stats(index=index, level="shards", metric="docs")["indices"][index]["shards"]
    copies = [copy for shard in found.values() for copy in shard if copy["routing"]["primary"]]
    return min((int(copy["seq_no"]["max_seq_no"]) for copy in copies), default=-1)


def texts(client: Elasticsearch, index: str, field: str, *, since: int = -1) -> Iterator[list[str]]:
    """The values of ``field`` in pages, of all documents or of those that were written after :func:`last_write`.

    The index is seen as it is at the first page. Documents without a text there are left out.
    """
    action = f"read index {index}"
    with translated(client, action):
        client.indices.refresh(index=index)
        point = client.open_point_in_time(index=index, keep_alive=KEEP_ALIVE)["id"]
    try:
        after: list[Any] | None = None
        while True:
            with translated(client, action):
                hits = client.search(
                    pit={"id": point, "keep_alive": KEEP_ALIVE}, query={"range": {"_seq_no": {"gt": since}}},
                    sort=["_shard_doc"], search_after=after, size=PAGE, source_includes=[field], track_total_hits=False,
                )["hits"]["hits"]  # fmt: skip
            if not hits:
                return
            values = [hit["_source"].get(field) for hit in hits]
            yield [value for value in values if isinstance(value, str)]
            after = hits[-1]["sort"]
    finally:
        with translated(client, action):
            client.close_point_in_time(id=point)


def present(client: Elasticsearch, index: str, ids: Iterable[str]) -> set[str]:
    """Which of ``ids`` are in ``index``, written a moment ago or long since."""
    asked, there = list(ids), set()
    for start in range(0, len(asked), IDS):
        with translated(client, f"look for documents in index {index}"):
            found = client.mget(index=index, ids=asked[start : start + IDS], source=False)["docs"]
        there |= {answer["_id"] for answer in found if answer.get("found")}
    return there
