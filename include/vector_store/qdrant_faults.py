"""A Qdrant client's failures, over REST, gRPC or in local mode, as this project's."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import grpc
from qdrant_client.common.client_exceptions import ResourceExhaustedResponse
from qdrant_client.http.exceptions import ResponseHandlingException, UnexpectedResponse

from include.errors import AccessDenied, ContractError, EmbsearchError, InputError, ServiceUnavailable, SetupError

_TRANSIENT_HTTP = {408, 429, 500, 502, 503, 504}
_TRANSIENT_GRPC = {
    grpc.StatusCode.UNAVAILABLE,
    grpc.StatusCode.DEADLINE_EXCEEDED,
    grpc.StatusCode.RESOURCE_EXHAUSTED,
    grpc.StatusCode.INTERNAL,
    grpc.StatusCode.ABORTED,
    grpc.StatusCode.CANCELLED,
}
_DENIED_GRPC = {grpc.StatusCode.UNAUTHENTICATED, grpc.StatusCode.PERMISSION_DENIED}
_FULL = "No space left"  # an internal error like others but for its words


@contextmanager
def translated(url: str, name: str) -> Iterator[None]:
    """Raise this project's error, naming ``url`` and the collection ``name``, for whatever the client raises.

    Raises:
        ServiceUnavailable: no answer, or a refusal for now.
        AccessDenied: a wrong or missing API key, or one without the right.
        InputError: there is no such collection.
        SetupError: the server's disk is full.
        ContractError: anything else that the server refuses, for example a wrong dimension.
    """
    try:
        yield
    except (ResponseHandlingException, ResourceExhaustedResponse) as error:
        raise _unavailable(url, str(error)) from error
    except UnexpectedResponse as error:
        content = error.content.decode("utf-8", "replace")[:500]
        raise _from_http(url, name, error.status_code or 0, content) from error
    except grpc.RpcError as error:
        raise _from_grpc(url, name, error.code(), str(error.details())) from error
    except ValueError as error:  # local mode
        raise _unknown(url, name) if "not found" in str(error) else _refused(url, name, str(error)) from error


def _from_http(url: str, name: str, status: int, content: str) -> EmbsearchError:
    if status in {401, 403}:
        return _denied(url, content)
    if status == 404:
        return _unknown(url, name)
    if _FULL in content:
        return _full(url, content)
    if status in _TRANSIENT_HTTP:
        return _unavailable(url, f"HTTP {status} {content}")
    return _refused(url, name, f"HTTP {status} {content}")


def _from_grpc(url: str, name: str, code: grpc.StatusCode, details: str) -> EmbsearchError:
    if code in _DENIED_GRPC:
        return _denied(url, details)
    if code is grpc.StatusCode.NOT_FOUND:
        return _unknown(url, name)
    if _FULL in details:
        return _full(url, details)
    if code in _TRANSIENT_GRPC:
        return _unavailable(url, f"{code.name} {details}")
    return _refused(url, name, f"{code.name} {details}")


def _unavailable(url: str, why: str) -> ServiceUnavailable:
    return ServiceUnavailable(f"Qdrant at {url} does not answer: {why}. Start it, or correct qdrant_url.")


def _denied(url: str, why: str) -> AccessDenied:
    return AccessDenied(
        f"Qdrant at {url} refuses the API key: {why}. Set EMBSEARCH_QDRANT_API_KEY to one with the right."
    )


def _full(url: str, why: str) -> SetupError:
    return SetupError(f"Qdrant at {url} has no space left: {why}. Free some on the server's disk, then run this again.")


def _unknown(url: str, name: str) -> InputError:
    return InputError(f"No collection {name!r} at {url}. Index keywords first: embsearch index-vectors.")


def _refused(url: str, name: str, why: str) -> ContractError:
    return ContractError(f"Qdrant at {url} refuses what was asked of {name!r}: {why}.")
