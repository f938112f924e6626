"""The client of a KServe V2 server such as Triton: texts in, vectors out, in batches, with retries and failover."""

from __future__ import annotations

import asyncio
import itertools
import logging
import threading
from collections.abc import Callable, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from typing import Any, Self, TypeVar

import numpy as np
from tenacity import RetryCallState, Retrying, retry_if_exception_type, stop_after_delay, wait_random_exponential
from tritonclient import http

from include.errors import ContractError, InputError, ServiceUnavailable, TransientError
from include.triton.config_pbtxt import INPUT, OUTPUT
from include.triton.faults import NotLoaded, translate
from include.triton.served import ServedModel, Vectors, check_vectors

log = logging.getLogger(__name__)

Result = TypeVar("Result")

__all__ = ["BATCH_SIZE", "ServedModel", "TritonClient", "Vectors", "parse_urls"]

BATCH_SIZE = 64
CONCURRENCY = 4
FIRST_WAIT, LONGEST_WAIT = 0.1, 5.0  # seconds; each wait is random between 0 and a bound that doubles


class TritonClient:
    """Embeds texts on one or several servers. Safe to share between threads; close it at the end.

    At most ``concurrency`` requests are under way at once, whoever calls. A request that fails for a passing reason is
    sent to the next URL at once, then again after a random wait, until ``deadline_seconds`` have passed: a restart of
    the server is ridden out. All calls run on the client's own threads, each with its own connections, because the HTTP
    client underneath must not be shared between threads.
    """

    def __init__(
        self,
        urls: str | Sequence[str],
        *,
        batch_size: int = BATCH_SIZE,
        concurrency: int = CONCURRENCY,
        timeout_seconds: float = 60.0,
        deadline_seconds: float = 120.0,
    ) -> None:
        self.urls = parse_urls(urls)
        self.batch_size = batch_size
        self.timeout_seconds = timeout_seconds
        self.deadline_seconds = deadline_seconds
        self._threads = ThreadPoolExecutor(concurrency, thread_name_prefix="triton")
        self._local = threading.local()
        self._turns = itertools.count()
        self._known: dict[tuple[str, str], ServedModel] = {}  # (model, version) → what it is

    def embed(self, model: str, texts: Sequence[str], *, fingerprint: str | None = None) -> Vectors:
        """The vectors ``[N, D]`` of ``texts``, float32, in their order.

        A lone surrogate, which UTF-8 cannot hold, is embedded as ``?``. Given a ``fingerprint``, vectors of any other
        model are refused, so that a deploy in the middle of a run cannot mix two models.

        Raises:
            InputError: the model is not loaded, or the server refuses the request.
            ServiceUnavailable: no server answered before the deadline.
            ContractError: the vectors are not finite, of another dimension, or of another fingerprint.
        """
        return self._joined(model, [future.result() for future in self._futures(model, texts, fingerprint)])

    async def aembed(self, model: str, texts: Sequence[str], *, fingerprint: str | None = None) -> Vectors:
        """:meth:`embed` without blocking the event loop."""
        loop = asyncio.get_running_loop()
        futures = await loop.run_in_executor(None, self._futures, model, texts, fingerprint)
        parts = await asyncio.gather(*(asyncio.wrap_future(future) for future in futures))
        return await loop.run_in_executor(None, self._joined, model, parts)

    def served(self, model: str) -> ServedModel:
        """What is served under ``model`` now, read from the server.

        Raises:
            InputError: the model is not loaded.
            ServiceUnavailable: no server answered before the deadline.
            ContractError: it was not deployed by this project.
        """
        return self._threads.submit(self._with_retries, lambda url: self._read_served(url, model, ""), model).result()

    def is_live(self) -> bool:
        """Whether any server answers now; does not wait for one."""
        return self._threads.submit(self._any_live).result()

    def ready_models(self) -> list[str]:
        """The names of the models that are ready on the first server that answers, without waiting."""
        return self._threads.submit(self._ready_models).result()

    def close(self) -> None:
        """Wait for what is under way, then close all connections."""
        # Each thread's connections close with it: they must not be touched by another.
        self._threads.shutdown(wait=True)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def _futures(self, model: str, texts: Sequence[str], fingerprint: str | None) -> list[Future[Vectors]]:
        if isinstance(texts, str):
            msg = f"embed() takes a list of texts, not one text: {texts[:60]!r}."
            raise InputError(msg)
        if not texts:
            return []
        size = min(self.batch_size, self._max_batch_size(model))
        batches = [texts[start : start + size] for start in range(0, len(texts), size)]
        return [self._threads.submit(self._embed_batch, model, batch, fingerprint) for batch in batches]

    def _max_batch_size(self, model: str) -> int:
        known = [entry for (name, _), entry in list(self._known.items()) if name == model]
        return min(entry.max_batch_size for entry in known) if known else self.served(model).max_batch_size

    def _joined(self, model: str, parts: Sequence[Vectors]) -> Vectors:
        if not parts:
            return np.empty((0, self.served(model).dimension), np.float32)
        return parts[0] if len(parts) == 1 else np.concatenate(parts)

    def _embed_batch(self, model: str, texts: Sequence[str], fingerprint: str | None) -> Vectors:
        return self._with_retries(lambda url: self._infer(url, model, texts, fingerprint), model)

    def _infer(self, url: str, model: str, texts: Sequence[str], fingerprint: str | None) -> Vectors:
        values = np.array([text.encode("utf-8", "replace") for text in texts], dtype=object).reshape(-1, 1)
        tensor = http.InferInput(INPUT, list(values.shape), "BYTES")
        tensor.set_data_from_numpy(values, binary_data=True)
        wanted = http.InferRequestedOutput(OUTPUT, binary_data=True)
        answer = self._connection(url).infer(model, [tensor], outputs=[wanted])
        version = answer.get_response().get("model_version", "")
        served = self._known.get((model, version)) or self._read_served(url, model, version)
        vectors = answer.as_numpy(OUTPUT)
        check_vectors(vectors, rows=len(texts), served=served, model=model, fingerprint=fingerprint)
        return np.array(vectors, np.float32)

    def _read_served(self, url: str, model: str, version: str) -> ServedModel:
        answer = self._connection(url).get_model_config(model, version)
        served = ServedModel.of(answer, where=f"Model {model} at {url}")
        self._known[model, str(served.version)] = served
        return served

    def _with_retries(self, call: Callable[[str], Result], model: str) -> Result:
        attempts = Retrying(
            wait=wait_random_exponential(multiplier=FIRST_WAIT, max=LONGEST_WAIT),
            stop=stop_after_delay(self.deadline_seconds),
            retry=retry_if_exception_type(TransientError),
            before_sleep=self._tell_once(),
            reraise=True,
        )
        result: Result = attempts(self._try_each_url, call, model)
        return result

    def _tell_once(self) -> Callable[[RetryCallState], None]:
        """Say at the first failure, and not at every one, that and how long is waited."""

        def tell(state: RetryCallState) -> None:
            if state.attempt_number == 1 and state.outcome is not None:
                log.warning("%s Trying again for %.0f s.", state.outcome.exception(), self.deadline_seconds)

        return tell

    def _try_each_url(self, call: Callable[[str], Result], model: str) -> Result:
        """The first good answer, starting at the next URL in turn; a fatal error of one server ends it."""
        start = next(self._turns)
        failures: list[ServiceUnavailable | NotLoaded] = []
        for step in range(len(self.urls)):
            url = self.urls[(start + step) % len(self.urls)]
            try:
                return self._translated(call, url)
            except (ServiceUnavailable, NotLoaded) as error:
                failures.append(error)
        unavailable = [error for error in failures if isinstance(error, ServiceUnavailable)]
        if unavailable:
            self._known.clear()  # a restarted server may count its versions anew
            raise unavailable[0]
        raise self._not_loaded(model) from failures[0]

    def _translated(self, call: Callable[[str], Result], url: str) -> Result:
        try:
            return call(url)
        except (ContractError, InputError):
            raise
        except Exception as error:
            self._drop_connection(url)  # its socket may hold half an answer
            raise translate(error, url=url) from error

    def _not_loaded(self, model: str) -> InputError:
        ready = ", ".join(self._ready_models()) or "none"
        msg = (
            f"Triton at {', '.join(self.urls)} does not serve model {model!r}. Ready models: {ready}. "
            f"Deploy it: `embsearch deploy --model {model}`."
        )
        return InputError(msg)

    def _any_live(self) -> bool:
        return any(self._asked(url, lambda connection: bool(connection.is_server_live())) for url in self.urls)

    def _ready_models(self) -> list[str]:
        for url in self.urls:
            index = self._asked(url, lambda connection: connection.get_model_repository_index())
            if index is not None:
                return sorted({entry["name"] for entry in index if entry.get("state") == "READY"})
        return []

    def _asked(self, url: str, question: Callable[[Any], Result]) -> Result | None:
        try:
            return self._translated(lambda address: question(self._connection(address)), url)
        except (ServiceUnavailable, NotLoaded):
            return None

    def _connection(self, url: str) -> Any:
        connections = self._local.__dict__.setdefault("connections", {})
        if url not in connections:
            scheme, _, address = url.partition("://")
            connections[url] = http.InferenceServerClient(
                address,
                ssl=scheme == "https",
                connection_timeout=min(10.0, self.timeout_seconds),
                network_timeout=self.timeout_seconds,
            )
        return connections[url]

    def _drop_connection(self, url: str) -> None:
        connection = self._local.__dict__.setdefault("connections", {}).pop(url, None)
        if connection is not None:
            connection.close()


def parse_urls(urls: str | Sequence[str]) -> tuple[str, ...]:
    """``"http://a:8080, b:8080"`` → ``("http://a:8080", "http://b:8080")``.

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
