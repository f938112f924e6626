"""Every failure of qdrant-client becomes one that says what to do; whether to try again is right for each."""

from __future__ import annotations

import grpc
import httpx
import pytest
from qdrant_client import QdrantClient
from qdrant_client.common.client_exceptions import ResourceExhaustedResponse
from qdrant_client.http.exceptions import ResponseHandlingException, UnexpectedResponse

from include.errors import AccessDenied, ContractError, InputError, ServiceUnavailable, SetupError
from include.vector_store.qdrant_connection import QdrantConnection
from include.vector_store.qdrant_faults import translated

URL = "http://qdrant:6333"


class GrpcFault(grpc.RpcError):
    def __init__(self, code: grpc.StatusCode, words: str = "the server's words") -> None:
        self._code, self._words = code, words

    def code(self) -> grpc.StatusCode:
        return self._code

    def details(self) -> str:
        return self._words


def http_fault(status: int, words: bytes = b"the server's words") -> UnexpectedResponse:
    return UnexpectedResponse(status, "", words, httpx.Headers())


@pytest.mark.parametrize(
    ("fault", "error"),
    [
        (ResponseHandlingException(httpx.ConnectError("refused")), ServiceUnavailable),
        (ResourceExhaustedResponse("slow down", 1), ServiceUnavailable),
        (http_fault(429), ServiceUnavailable),
        (http_fault(503), ServiceUnavailable),
        (http_fault(401), AccessDenied),
        (http_fault(403), AccessDenied),
        (http_fault(404), InputError),
        (http_fault(400), ContractError),
        (http_fault(409), ContractError),
        (GrpcFault(grpc.StatusCode.UNAVAILABLE), ServiceUnavailable),
        (GrpcFault(grpc.StatusCode.DEADLINE_EXCEEDED), ServiceUnavailable),
        (GrpcFault(grpc.StatusCode.UNAUTHENTICATED), AccessDenied),
        (GrpcFault(grpc.StatusCode.PERMISSION_DENIED), AccessDenied),
        (GrpcFault(grpc.StatusCode.NOT_FOUND), InputError),
        (GrpcFault(grpc.StatusCode.INVALID_ARGUMENT), ContractError),
        (http_fault(500, b"Service internal error: No space left on device"), SetupError),
        (GrpcFault(grpc.StatusCode.INTERNAL, "No space left on device"), SetupError),
    ],
)
def test_a_fault_keeps_its_class_and_names_the_server(fault: Exception, error: type[Exception]) -> None:
    with pytest.raises(error, match=URL), translated(URL, "keywords"):
        raise fault


def test_a_server_that_is_not_there_is_named_after_a_few_tries() -> None:
    client = QdrantClient(url="http://127.0.0.1:1", check_compatibility=False)
    connection = QdrantConnection(client, URL, retry_seconds=0.5)
    with pytest.raises(ServiceUnavailable, match=f"{URL} does not answer.*Start it, or correct qdrant_url"):
        connection.call("keywords", client.get_aliases)


def test_a_fault_that_passes_is_survived() -> None:
    answers: list[Exception | str] = [http_fault(503), GrpcFault(grpc.StatusCode.UNAVAILABLE), "here"]

    def flaky() -> str:
        answer = answers.pop(0)
        if isinstance(answer, Exception):
            raise answer
        return answer

    assert QdrantConnection(QdrantClient(":memory:"), URL).call("keywords", flaky) == "here"


def test_a_fault_that_stays_is_not_tried_again() -> None:
    calls: list[int] = []

    def refused() -> None:
        calls.append(1)
        raise http_fault(401)

    with pytest.raises(AccessDenied):
        QdrantConnection(QdrantClient(":memory:"), URL).call("keywords", refused)
    assert len(calls) == 1
