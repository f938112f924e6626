"""Requests as another client of KServe V2 may send them."""

from __future__ import annotations

import re
from typing import Any

import numpy as np
import pytest
from tritonclient import http
from tritonclient.utils import InferenceServerException, np_to_triton_dtype


def column(*values: bytes) -> np.ndarray:
    """BYTES ``[N, 1]``."""
    made = np.empty((len(values), 1), dtype=object)
    made[:, 0] = values
    return made


def tensors(**inputs: np.ndarray) -> list[http.InferInput]:
    """Inputs as the plain client takes them."""
    return [
        http.InferInput(name, list(values.shape), np_to_triton_dtype(values.dtype)).set_data_from_numpy(values)
        for name, values in inputs.items()
    ]


def infer(connection: http.InferenceServerClient, model: str, **inputs: np.ndarray) -> dict[str, np.ndarray]:
    """Outputs by name."""
    answer = connection.infer(model, tensors(**inputs))
    return {output["name"]: answer.as_numpy(output["name"]) for output in answer.get_response()["outputs"]}


def assert_refused(
    connection: http.InferenceServerClient, model: str, reason: str, *, then: dict[str, Any], **inputs: np.ndarray
) -> None:
    """The request is refused for ``reason``, the model stays ready, and ``then`` is answered as it was before."""
    before = infer(connection, model, **then)["EMBEDDING"]
    with pytest.raises(InferenceServerException) as caught:
        infer(connection, model, **inputs)
    assert re.search(reason, str(caught.value.message()))
    assert str(caught.value.status()) == "400"
    assert connection.is_server_ready()
    assert connection.is_model_ready(model)
    np.testing.assert_array_equal(infer(connection, model, **then)["EMBEDDING"], before)
