"""What one index has and another lacks, compared by id."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from elasticsearch import Elasticsearch

from include.elastic.errors import translated
from include.elastic.paging import PAGE, pages

IDS = 5000  # asked for in one request


def last_write(client: Elasticsearch, index: str) -> int:
    """A number that every later write into ``index`` is above; -1 when nothing was written.

    Writes are numbered in each shard by itself: this is the smallest of the shards' last numbers.
    """
    with translated(client, f"read the statistics of index {index} (right monitor)"):
        found = client.indices.stats(index=index, level="shards", metric="docs")["indices"][index]["shards"]
    copies = [copy for shard in found.values() for copy in shard if copy["routing"]["primary"]]
    return min((int(copy["seq_no"]["max_seq_no"]) for copy in copies), default=-1)


def texts(client: Elasticsearch, index: str, field: str, *, since: int = -1, page: int = PAGE) -> Iterator[list[str]]:
    """The values of ``field`` in pages, of all documents or of those that were written after :func:`last_write`.

    The index is seen as it is at the first page. Documents without a text there are left out.
    """
    with translated(client, f"refresh index {index}"):
        client.indices.refresh(index=index)
    for documents in pages(client, index, [field], query={"range": {"_seq_no": {"gt": since}}}, page=page):
        values = [document.get(field) for document in documents]
        yield [value for value in values if isinstance(value, str)]


def present(client: Elasticsearch, index: str, ids: Iterable[str]) -> set[str]:
    """Which of ``ids`` are in ``index``, written a moment ago or long since."""
    asked, there = list(ids), set()
    for start in range(0, len(asked), IDS):
        with translated(client, f"look for documents in index {index}"):
            found = client.mget(index=index, ids=asked[start : start + IDS], source=False)["docs"]
        there |= {answer["_id"] for answer in found if answer.get("found")}
    return there
