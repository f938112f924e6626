"""The design that users run today, as a baseline: 4 workers, embed 64, 64 single searches, ``async_bulk`` of 64."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterable, Sequence
from typing import Any

import numpy as np
from elasticsearch import AsyncElasticsearch
from elasticsearch.helpers import async_bulk
from numpy.typing import NDArray

BATCH = 64
WORKERS = 4

FLAT_MAPPING: dict[str, Any] = {
    "properties": {
        "keyword": {"type": "text", "fields": {"raw": {"type": "keyword"}}},
        "keyword_id": {"type": "integer"},
    }
}
LINK_MAPPING: dict[str, Any] = {
    "properties": {
        "product_name": {"type": "text", "analyzer": "standard", "fields": {"raw": {"type": "keyword"}}},
        "keywords": {
            "type": "nested",
            "properties": {
                "keyword": {"type": "text", "fields": {"raw": {"type": "keyword"}}},
                "keyword_id": {"type": "integer"},
                "score": {"type": "float"},
            },
        },
    }
}

Embed = Callable[[Sequence[str]], NDArray[np.float32]]  # [N, D]
SearchOne = Callable[[NDArray[np.float32]], list[dict[str, Any]]]  # [D] → linked keywords


def bulk(hosts: Sequence[str], index: str, documents: Iterable[dict[str, Any]]) -> None:
    """``async_bulk`` in batches of 64, 4 at once."""
    asyncio.run(_bulk(hosts, index, list(documents)))


async def _bulk(hosts: Sequence[str], index: str, documents: list[dict[str, Any]]) -> None:
    async with AsyncElasticsearch(list(hosts)) as client:
        slots = asyncio.Semaphore(WORKERS)

        async def send(batch: list[dict[str, Any]]) -> None:
            async with slots:
                await async_bulk(client, batch, index=index, chunk_size=BATCH)

        await asyncio.gather(*(send(documents[i : i + BATCH]) for i in range(0, len(documents), BATCH)))


def link(hosts: Sequence[str], index: str, products: Sequence[str], embed: Embed, search_one: SearchOne) -> None:
    """The whole linking: four workers, each taking a batch through embed, 64 single searches and a bulk."""
    asyncio.run(_link(hosts, index, products, embed, search_one))


async def _link(hosts: Sequence[str], index: str, products: Sequence[str], embed: Embed, search_one: SearchOne) -> None:
    async with AsyncElasticsearch(list(hosts)) as client:
        slots = asyncio.Semaphore(WORKERS)

        async def one(names: Sequence[str]) -> None:
            async with slots:
                vectors = await asyncio.to_thread(embed, names)
                linked = [await asyncio.to_thread(search_one, vector) for vector in vectors]
                documents = [
                    {"_id": name, "product_name": name, "keywords": keywords}
                    for name, keywords in zip(names, linked, strict=True)
                ]
                await async_bulk(client, documents, index=index, chunk_size=BATCH)

        await asyncio.gather(*(one(products[i : i + BATCH]) for i in range(0, len(products), BATCH)))
