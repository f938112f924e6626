"""Search of documents without blocking an event loop."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from typing import Self

from include.elastic.connection import CONNECTIONS
from include.fulltext.keywords import KeywordMaker
from include.fulltext.results import DocumentWithScore, Filters
from include.fulltext.search import DocumentSearch
from include.settings import Settings


class AsyncDocumentSearch:
    """:class:`DocumentSearch` for event loops: as many searches at once as it has connections, further ones wait.

    They run in threads, with the client that is used everywhere: the asynchronous one over HTTPX pins no certificates.
    A caller that is cancelled does not wait; its request ends by itself within its time-out.
    """

    def __init__(
        self,
        settings: Settings,
        *,
        es_url: str | None = None,
        faults: str | None = None,
        keyword_makers: Sequence[KeywordMaker] | None = None,
    ) -> None:
        self._search = DocumentSearch(settings, es_url=es_url, faults=faults, keyword_makers=keyword_makers)
        self._pool = ThreadPoolExecutor(CONNECTIONS, thread_name_prefix="search")

    async def search(
        self, query: str, *, collections: Sequence[str], top_k: int = 10, filters: Filters | None = None
    ) -> list[DocumentWithScore]:
        """:meth:`DocumentSearch.search`."""
        call = partial(self._search.search, query, collections=collections, top_k=top_k, filters=filters)
        return await asyncio.get_running_loop().run_in_executor(self._pool, call)

    async def aclose(self) -> None:
        """Wait for what is under way, then close all connections."""
        await asyncio.to_thread(self._pool.shutdown)
        self._search.close()

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.aclose()
