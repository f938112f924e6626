"""What the client decides without a server; its work with one is in tests/integration/triton."""

from __future__ import annotations

import aiohttp
import numpy as np
import pytest
from tritonclient.utils import InferenceServerException

from include.errors import AccessDenied, ContractError, FatalError, InputError, ServiceUnavailable
from include.triton.client import TritonClient, parse_urls
from include.triton.faults import NotLoaded, TooSlow, translate
from include.triton.served import ServedModel, check_vectors

SERVED = ServedModel("minilm", 2, "f" * 64, 3, 256, "fp32", "onnxruntime", 256)
A, B = "http://a:1", "http://b:2"


def test_urls_are_a_list_or_text_with_commas() -> None:
    assert parse_urls(" http://a:1/, b:2,https://c ") == (A, B, "https://c")
    assert parse_urls([A, B]) == (A, B)


@pytest.mark.parametrize("urls", ["", " , ", "grpc://a:1", []])
def test_unusable_urls_are_refused(urls: str | list[str]) -> None:
    with pytest.raises(InputError, match="kserve_url"):
        parse_urls(urls)


@pytest.mark.parametrize(
    ("vectors", "reason"),
    [
        (None, "shape None"),
        (np.zeros((2, 4), np.float32), r"shape \(2, 4\), not \(2, 3\)"),
        (np.zeros((1, 3), np.float32), r"shape \(1, 3\), not \(2, 3\)"),
        (np.array([[0, 0, np.nan], [0, 0, 0]], np.float32), "not finite"),
        (np.array([[0, 0, np.inf], [0, 0, 0]], np.float32), "not finite"),
    ],
)
def test_a_malformed_answer_is_refused(vectors: np.ndarray | None, reason: str) -> None:
    with pytest.raises(ContractError, match=rf"minilm version 2.*{reason}"):
        check_vectors(vectors, rows=2, served=SERVED)


@pytest.mark.parametrize(
    ("error", "kind"),
    [
        (ConnectionRefusedError("refused"), ServiceUnavailable),
        (TimeoutError("timed out"), TooSlow),
        (aiohttp.ServerDisconnectedError(), ServiceUnavailable),
        (InferenceServerException("busy", status="503"), ServiceUnavailable),
        (InferenceServerException("too many", status="429"), ServiceUnavailable),
        (InferenceServerException("Stub process 'x' is not healthy.", status="500"), ServiceUnavailable),
        (InferenceServerException("Request for unknown model: 'x' is not found", status="404"), NotLoaded),
        (InferenceServerException("'x' has no available versions", status="400"), NotLoaded),
        (InferenceServerException("unexpected shape", status="400"), InputError),
        (InferenceServerException("who are you", status="401"), AccessDenied),
        (KeyError("defect"), FatalError),
    ],
)
def test_a_fault_is_passing_or_final_by_its_kind(error: Exception, kind: type[Exception]) -> None:
    translated = translate(error, url=A)

    assert type(translated) is kind
    assert kind is NotLoaded or A in str(translated)


def test_one_text_is_not_taken_for_a_list_of_letters() -> None:
    with TritonClient(A) as client, pytest.raises(InputError, match="not one text"):
        client.embed("minilm", "waterproof backpack")


def test_a_closed_client_says_so_and_can_be_closed_again() -> None:
    client = TritonClient(A)
    client.close()
    client.close()

    with pytest.raises(RuntimeError, match="closed"):
        client.served("minilm")
