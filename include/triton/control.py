"""Model control of running servers over gRPC: load, unload, and the one inference that a deploy's check needs.

Loading over HTTP stalls HTTP inference for seconds; over gRPC it does not (seen on Triton 2.51).
"""

from __future__ import annotations

import logging
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from typing import Any

import numpy as np
from numpy.typing import NDArray
from tritonclient import grpc
from tritonclient.utils import InferenceServerException

from include.errors import FatalError, GateFailed, ServiceUnavailable
from include.triton.config_pbtxt import INPUT, OUTPUT

log = logging.getLogger(__name__)

LOAD_SECONDS = 600.0
CALL_SECONDS = 120.0
POLL_SECONDS = 0.05


class ServerControl:
    """Every server of a list, always all of them; they read one model repository, or copies of it."""

    def __init__(self, urls: Sequence[str]) -> None:
        self.urls = tuple(urls)

    def load(self, model: str) -> None:
        """Load, or load again, by the configuration on disk; the old version serves until the new one is ready.

        Raises:
            GateFailed: a server cannot load it; the message holds the server's reason.
            ServiceUnavailable: a server does not answer.
        """
        for url in self.urls:
            with _connected(url) as client:
                client.load_model(model, client_timeout=LOAD_SECONDS)

    def unload(self, model: str) -> None:
        """Unload and wait until no version is left; a model that is not loaded is no error."""
        for url in self.urls:
            with suppress(FatalError), _connected(url) as client:
                client.unload_model(model, client_timeout=CALL_SECONDS)
                self._wait_unloaded(client, model)

    def _wait_unloaded(self, client: Any, model: str) -> None:
        deadline = time.monotonic() + CALL_SECONDS
        while time.monotonic() < deadline:
            index = client.get_model_repository_index(client_timeout=CALL_SECONDS)
            if not any(
                entry.name == model and entry.state in ("READY", "UNLOADING", "LOADING") for entry in index.models
            ):
                return
            time.sleep(POLL_SECONDS)

    def embed(self, model: str, texts: Sequence[str]) -> list[NDArray[np.float32]]:
        """The vectors ``[N, D]`` of ``texts``, from each server in the order of the URLs.

        Raises:
            GateFailed: a server refuses the request.
            ServiceUnavailable: a server does not answer.
        """
        values = np.array([text.encode("utf-8") for text in texts], dtype=object).reshape(-1, 1)
        tensor = grpc.InferInput(INPUT, list(values.shape), "BYTES")
        tensor.set_data_from_numpy(values)
        results = []
        for url in self.urls:
            with _connected(url) as client:
                answer = client.infer(model, [tensor], client_timeout=CALL_SECONDS)
                results.append(answer.as_numpy(OUTPUT))
        return results


@contextmanager
def _connected(url: str) -> Iterator[Any]:
    client = grpc.InferenceServerClient(url)
    try:
        yield client
    except InferenceServerException as error:
        if error.status() in ("StatusCode.UNAVAILABLE", "StatusCode.DEADLINE_EXCEEDED"):
            msg = f"Triton at {url} does not answer gRPC: {error.message()}. Run `make up` or check kserve_grpc_url."
            raise ServiceUnavailable(msg) from error
        reason, _, trace = str(error.message()).partition("\n\nAt:")
        log.debug("Triton at %s: %s", url, trace)
        msg = f"Triton at {url} refuses: {reason.strip()}."
        raise GateFailed(msg) from error
    finally:
        client.close()
