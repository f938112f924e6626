"""Model control of running servers over gRPC: load, unload, and the one inference that a deploy's check needs.

Loading over HTTP stalls HTTP inference for seconds; over gRPC it does not (seen on Triton 2.51).
"""

from __future__ import annotations

import logging
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from typing import Any

from tritonclient import grpc
from tritonclient.utils import InferenceServerException, np_to_triton_dtype

from include.errors import FatalError, GateFailed, ServiceUnavailable
from include.triton.config_pbtxt import ServingConfig
from include.triton.ensemble import is_step
from include.triton.tensors import Array

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
        """Unload, with an ensemble's steps, and wait until none is left; a model that is not loaded is no error."""
        for url in self.urls:
            with suppress(FatalError), _connected(url) as client:
                index = client.get_model_repository_index(client_timeout=CALL_SECONDS)
                # By name: after a restart an ensemble's steps are no dependents of it, but loaded like any model.
                steps = {entry.name for entry in index.models if is_step(entry.name, model)}
                for name in (model, *sorted(steps)):
                    client.unload_model(name, client_timeout=CALL_SECONDS)
                    self._wait_unloaded(client, name)

    def _wait_unloaded(self, client: Any, model: str) -> None:
        deadline = time.monotonic() + CALL_SECONDS
        while time.monotonic() < deadline:
            index = client.get_model_repository_index(client_timeout=CALL_SECONDS)
            if not any(
                entry.name == model and entry.state in ("READY", "UNLOADING", "LOADING") for entry in index.models
            ):
                return
            time.sleep(POLL_SECONDS)

    def serving(self, model: str) -> ServingConfig | None:
        """How the first server serves ``model`` now, whatever lies on disk; ``None``: not at all.

        Raises:
            ContractError: it was not deployed by this project.
            ServiceUnavailable: the server does not answer.
        """
        with suppress(GateFailed), _connected(self.urls[0]) as client:
            message = client.get_model_config(model, client_timeout=CALL_SECONDS).config
            parameters = {key: value.string_value for key, value in message.parameters.items()}
            return ServingConfig.from_parameters(parameters, where=f"Model {model} at {self.urls[0]}")
        return None

    def infer(self, model: str, inputs: Mapping[str, Array]) -> list[dict[str, Array]]:
        """Outputs by name, from each server in the order of the URLs.

        Raises:
            GateFailed: a server refuses the request.
            ServiceUnavailable: a server does not answer.
        """
        tensors = []
        for name, values in inputs.items():
            tensor = grpc.InferInput(name, list(values.shape), np_to_triton_dtype(values.dtype))
            tensors.append(tensor.set_data_from_numpy(values))
        results = []
        for url in self.urls:
            with _connected(url) as client:
                answer = client.infer(model, tensors, client_timeout=CALL_SECONDS)
                names = [output.name for output in answer.get_response().outputs]
                results.append({name: answer.as_numpy(name) for name in names})
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
