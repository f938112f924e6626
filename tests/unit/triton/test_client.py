"""What the client decides without a server; its work with one is in tests/integration/triton."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest
from tritonclient.utils import InferenceServerException

from include.errors import AccessDenied, ContractError, FatalError, InputError, ServiceUnavailable
from include.triton.client import TritonClient, parse_urls
from include.triton.faults import NotLoaded, translate
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
        check_vectors(vectors, rows=2, served=SERVED, model="minilm", fingerprint=None)


@pytest.mark.parametrize(
    ("error", "kind"),
    [
        (ConnectionRefusedError("refused"), ServiceUnavailable),
        (TimeoutError("timed out"), ServiceUnavailable),
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


def failing(failures: dict[str, list[Exception]]) -> tuple[Callable[[str], str], list[str]]:
    """A call that raises what is left for its URL, then answers; and the URLs that it was made to."""
    asked: list[str] = []

    def call(url: str) -> str:
        asked.append(url)
        if failures.get(url):
            raise failures[url].pop(0)
        return url

    return call, asked


def test_a_passing_fault_is_tried_again_until_it_is_gone() -> None:
    call, asked = failing({A: [ConnectionResetError(), InferenceServerException("busy", status="503")]})
    with TritonClient(A, deadline_seconds=20) as client:
        assert client._with_retries(call, "minilm") == A
    assert asked == [A, A, A]


def test_the_next_server_is_asked_at_once() -> None:
    call, asked = failing({A: [ConnectionResetError()] * 9})
    with TritonClient([A, B], deadline_seconds=0) as client:
        assert client._with_retries(call, "minilm") == B
    assert asked == [A, B]


def test_calls_start_at_each_server_in_turn() -> None:
    call, asked = failing({})
    with TritonClient([A, B]) as client:
        for _ in range(4):
            client._with_retries(call, "minilm")
    assert asked == [A, B, A, B]


def test_a_final_fault_is_not_tried_again() -> None:
    call, asked = failing({A: [InferenceServerException("unexpected shape", status="400")]})
    with TritonClient([A, B]) as client, pytest.raises(InputError, match="unexpected shape"):
        client._with_retries(call, "minilm")
    assert asked == [A]


def test_after_the_deadline_the_last_fault_is_told() -> None:
    call, asked = failing({A: [ConnectionResetError("gone")] * 1000})
    with TritonClient(A, deadline_seconds=0.3) as client, pytest.raises(ServiceUnavailable, match="gone"):
        client._with_retries(call, "minilm")
    assert len(asked) >= 2


def test_one_text_is_not_taken_for_a_list_of_letters() -> None:
    with TritonClient(A) as client, pytest.raises(InputError, match="not one text"):
        client.embed("minilm", "waterproof backpack")
