"""The client of a KServe V2 server such as Triton: items in, vectors out, in batches, with retries and failover."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, Self

import numpy as np

from include.catalog.models import Medium, medium_of
from include.errors import InputError
from include.triton.batches import Rows, cut
from include.triton.faults import NotLoaded, OtherModel
from include.triton.lookup import Answer, Lookup, Request
from include.triton.loop import LoopThread, deadline, together
from include.triton.served import ServedModel, Vectors
from include.triton.servers import Question, Result, Servers
from include.triton.tensors import SparseRow, encode

__all__ = ["BATCH_SIZE", "Embeddings", "ServedModel", "TritonClient", "Vectors", "parse_urls"]

BATCH_SIZE = 64
CONCURRENCY = 4
LEAST_REQUEST_SECONDS = 60.0


@dataclass(frozen=True)
class Embeddings:
    """What a model made of some items, in their order."""

    vectors: Vectors  # [N, D] float32
    weights: list[SparseRow]  # N rows of lexical weights, of a model that gives some and when they were asked for


class TritonClient:
    """Embeds texts, images or sounds on one or several servers. Share it between threads and event loops; close it.

    At most ``concurrency`` requests are under way at once, whoever calls; further callers wait. Each goes to the server
    with the fewest of them. A request that fails for a passing reason is sent to the next server at once, then again
    after a random wait, until ``deadline_seconds`` have passed: a restart of the server is ridden out. One that is
    being worked on has the same time, at least a minute, and is not sent a second time when that is over.
    """

    def __init__(
        self,
        urls: str | Sequence[str],
        *,
        batch_size: int = BATCH_SIZE,
        concurrency: int = CONCURRENCY,
        deadline_seconds: float = 120.0,
    ) -> None:
        self.urls = parse_urls(urls)
        self.batch_size = batch_size
        self.concurrency = concurrency
        self.deadline_seconds = deadline_seconds
        self._loop = LoopThread("triton")
        request_seconds = max(LEAST_REQUEST_SECONDS, deadline_seconds)
        self._servers = Servers(self.urls, concurrency=concurrency, timeout_seconds=request_seconds)
        self._lookup = Lookup()

    def embed(
        self,
        model: str,
        items: Sequence[Any],
        *,
        fingerprint: str | None = None,
        deadline_seconds: float | None = None,
        on_rows: Callable[[int], None] | None = None,
    ) -> Vectors:
        """The vectors ``[N, D]`` of ``items``, float32, in their order.

        Items are texts, encoded images as bytes, or mono samples ``[S]``, by the kind of the model. A lone surrogate,
        which UTF-8 cannot hold, is embedded as ``?``.

        All vectors of a call are of one version: that of ``fingerprint``, which may be served beside a newer one, or
        the present one. ``deadline_seconds`` bounds the whole call; without it each request has the client's.
        ``on_rows`` is told the number of items of each request that was answered, in a thread of the client's.

        Raises:
            InputError: the model is not loaded, an item is not of its kind, or the server refuses the request.
            ServiceUnavailable: no server answered in time.
            ContractError: the vectors are not finite, of another dimension, or ``fingerprint`` is served nowhere.
        """
        return self._loop.run(self._embed(model, items, fingerprint, deadline_seconds, on_rows=on_rows)).vectors

    async def aembed(
        self, model: str, items: Sequence[Any], *, fingerprint: str | None = None, deadline_seconds: float | None = None
    ) -> Vectors:
        """:meth:`embed` without blocking the event loop; cancelling the caller ends the requests."""
        return (await self._loop.arun(self._embed(model, items, fingerprint, deadline_seconds))).vectors

    def embed_sparse(
        self, model: str, texts: Sequence[str], *, fingerprint: str | None = None, deadline_seconds: float | None = None
    ) -> Embeddings:
        """:meth:`embed` with the lexical weights that a model of kind ``text_sparse`` gives beside the vectors."""
        return self._loop.run(self._embed(model, texts, fingerprint, deadline_seconds, with_weights=True))

    async def aembed_sparse(
        self, model: str, texts: Sequence[str], *, fingerprint: str | None = None, deadline_seconds: float | None = None
    ) -> Embeddings:
        """:meth:`embed_sparse` without blocking the event loop."""
        return await self._loop.arun(self._embed(model, texts, fingerprint, deadline_seconds, with_weights=True))

    def served(self, model: str, *, fingerprint: str | None = None) -> ServedModel:
        """What is served under ``model`` now, or by ``fingerprint``, read from the server.

        Raises:
            InputError: the model is not loaded.
            ServiceUnavailable: no server answered before the deadline.
            ContractError: it was not deployed by this project, or ``fingerprint`` is served nowhere.
        """
        return self._loop.run(self._served(model, fingerprint))

    def is_live(self) -> bool:
        """Whether any server answers now; does not wait for one."""
        return any(self.on_each(lambda connection, _: connection.is_server_live()))

    def ready_models(self) -> list[str]:
        """The names of the models that are ready on any server that answers, without waiting."""
        return self._loop.run(self._ready_models())

    def on_each(self, question: Question[Result]) -> list[Result | None]:
        """Each server's answer in the order of the URLs, ``None`` for one that does not answer; no waiting."""
        return self._loop.run(self._servers.asked_once(question))

    def served_by_each(self, model: str) -> list[ServedModel | None]:
        """:meth:`served` of every URL, ``None`` for one that does not answer or lacks the model."""
        return self.on_each(lambda connection, url: self._lookup.served(connection, url, model, None))

    def close(self) -> None:
        """Wait for what is under way, then close all connections."""
        self._loop.close(last=self._servers.close)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    async def _embed(
        self,
        model: str,
        items: Sequence[Any],
        fingerprint: str | None,
        deadline_seconds: float | None,
        *,
        with_weights: bool = False,
        on_rows: Callable[[int], None] | None = None,
    ) -> Embeddings:
        if isinstance(items, (str, bytes)):
            msg = f"embed() takes a list of items, not one text: {items[:60]!r}."
            raise InputError(msg)
        async with deadline(deadline_seconds, f"{len(items)} items for {model}"):
            known = self._lookup.any_of(model) or await self._served(model, fingerprint)
            medium = medium_of(known.kind)
            batches = list(cut(items, known, most=min(self.batch_size, known.max_batch_size)))
            while True:
                # One request is of one version by itself; several must agree on it.
                wanted = fingerprint
                if wanted is None and len(batches) != 1:
                    wanted = (await self._served(model, None)).fingerprint
                try:
                    parts = await self._embed_batches(
                        model, items, medium, batches, wanted, with_weights=with_weights, on_rows=on_rows
                    )
                    return _in_order(parts, known.dimension, with_weights=with_weights)
                except OtherModel:  # another was deployed meanwhile: all again with that one
                    if fingerprint is not None or (await self._served(model, None)).fingerprint == wanted:
                        raise

    async def _embed_batches(
        self,
        model: str,
        items: Sequence[Any],
        medium: Medium,
        batches: Sequence[Rows],
        fingerprint: str | None,
        *,
        with_weights: bool,
        on_rows: Callable[[int], None] | None,
    ) -> list[tuple[Rows, Answer]]:
        todo = iter(batches)
        done: list[tuple[Rows, Answer]] = []

        async def work() -> None:
            for rows in todo:
                inputs = encode(medium, [items[row] for row in rows])
                request = Request.of(model, inputs, fingerprint=fingerprint, with_weights=with_weights)
                done.append((rows, await self._infer(request)))
                if on_rows:
                    on_rows(len(rows))

        await together([work() for _ in range(min(self.concurrency, len(batches)))])
        return done

    async def _infer(self, request: Request) -> Answer:
        return await self._ask(lambda c, url: self._lookup.infer(c, url, request), request.model)

    async def _served(self, model: str, fingerprint: str | None) -> ServedModel:
        return await self._ask(lambda c, url: self._lookup.served(c, url, model, fingerprint), model)

    async def _ask(self, question: Question[Result], model: str) -> Result:
        try:
            return await self._servers.ask(question, patience=self.deadline_seconds)
        except OtherModel as error:
            msg = (
                f"{error} Vectors of two versions cannot be compared: make those of that fingerprint again, such as by "
                "`embsearch index-vectors`, or serve its version again by `embsearch rollback model`."
            )
            raise OtherModel(msg) from error
        except NotLoaded as error:
            ready = ", ".join(await self._ready_models()) or "none"
            msg = (
                f"Triton at {', '.join(self.urls)} does not serve model {model!r}. Ready models: {ready}. "
                f"Deploy it: `embsearch deploy --model {model}`."
            )
            raise InputError(msg) from error

    async def _ready_models(self) -> list[str]:
        indexes = await self._servers.asked_once(lambda connection, _: connection.get_model_repository_index())
        entries = [entry for index in indexes for entry in index or ()]
        return sorted({entry["name"] for entry in entries if entry.get("state") == "READY"})


def _in_order(parts: Sequence[tuple[Rows, Answer]], dimension: int, *, with_weights: bool) -> Embeddings:
    """The rows of all requests where their items stood; ``dimension`` is that of none."""
    count = sum(len(rows) for rows, _ in parts)
    vectors = np.empty((count, parts[0][1].served.dimension if parts else dimension), np.float32)
    weights: list[SparseRow] = [{} for _ in range(count)] if with_weights else []
    for rows, answer in parts:
        vectors[rows] = answer.vectors
        for row, found in zip(rows.tolist(), answer.weights, strict=False):
            weights[row] = found
    return Embeddings(vectors, weights)


def parse_urls(urls: str | Sequence[str]) -> tuple[str, ...]:
    """URLs from a list or from text separated by commas; ``host:port`` means HTTP.

    Raises:
        InputError: no URL is given, or one is not HTTP.
    """
    given = urls.split(",") if isinstance(urls, str) else urls
    parsed = [url.strip().rstrip("/") for url in given if url.strip()]
    parsed = [url if "://" in url else f"http://{url}" for url in parsed]
    wrong = [url for url in parsed if not url.startswith(("http://", "https://"))]
    if wrong or not parsed:
        msg = f"kserve_url {urls!r} is not usable: give HTTP URLs such as http://localhost:8080, separated by commas."
        raise InputError(msg)
    return tuple(parsed)
