"""A qdrant-client with its URL: every call translated, and tried again for a while when the fault may pass."""

from __future__ import annotations

import logging
from collections.abc import Callable
from dataclasses import dataclass
from typing import ParamSpec, Self, TypeVar
from urllib.parse import urlsplit

import grpc
from qdrant_client import QdrantClient
from tenacity import Retrying, retry_if_exception_type, stop_after_delay, wait_random_exponential

from include.errors import InputError, TransientError
from include.vector_store.qdrant_faults import translated

log = logging.getLogger(__name__)
Arguments = ParamSpec("Arguments")
Result = TypeVar("Result")

TIMEOUT_SECONDS = 60
PROBE_SECONDS = 1.0
FIRST_WAIT, LONGEST_WAIT = 0.2, 5.0  # seconds; each wait is random between 0 and a bound that doubles
RETRY_SECONDS = 30.0


@dataclass(frozen=True)
class QdrantConnection:
    """A client, and the URL to name in messages."""

    client: QdrantClient
    url: str
    retry_seconds: float = RETRY_SECONDS

    @classmethod
    def open(cls, url: str, api_key: str | None, *, retry_seconds: float = RETRY_SECONDS) -> Self:
        """Connect over gRPC where its port (the next after REST's) answers, else over REST.

        Raises:
            InputError: the URL cannot be understood.
        """
        try:
            parts = urlsplit(url)
            port = parts.port or (443 if parts.scheme == "https" else 6333)
        except ValueError as error:
            msg = f"{url!r} is not a URL of a Qdrant server ({error}). Write http://<host>:<port>."
            raise InputError(msg) from error
        over_grpc = _grpc_answers(f"{parts.hostname}:{port + 1}", secure=parts.scheme == "https")
        log.info("Qdrant at %s over %s", url, "gRPC" if over_grpc else "REST")
        client = QdrantClient(
            url=url, port=port, grpc_port=port + 1, prefer_grpc=over_grpc, api_key=api_key, timeout=TIMEOUT_SECONDS,
            check_compatibility=False,
        )  # fmt: skip
        return cls(client, url, retry_seconds)

    def call(
        self, name: str, method: Callable[Arguments, Result], *args: Arguments.args, **kwargs: Arguments.kwargs
    ) -> Result:
        """What ``method`` returns; it must be safe to repeat. ``name`` is the collection to name in messages."""

        def once() -> Result:
            with translated(self.url, name):
                return method(*args, **kwargs)

        attempts = Retrying(
            wait=wait_random_exponential(multiplier=FIRST_WAIT, max=LONGEST_WAIT),
            stop=stop_after_delay(self.retry_seconds),
            retry=retry_if_exception_type(TransientError),
            reraise=True,
        )
        result: Result = attempts(once)
        return result


def _grpc_answers(target: str, *, secure: bool) -> bool:
    """Whether a gRPC server listens at ``target``: a channel is ready only after HTTP/2's first frames."""
    credentials = grpc.ssl_channel_credentials() if secure else None
    channel = grpc.secure_channel(target, credentials) if credentials else grpc.insecure_channel(target)
    try:
        grpc.channel_ready_future(channel).result(timeout=PROBE_SECONDS)
    except grpc.FutureTimeoutError:
        return False
    finally:
        channel.close()
    return True
