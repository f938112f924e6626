"""What Elasticsearch's refusals mean to a user: the client's exceptions as this project's."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from elastic_transport import ConnectionTimeout, SerializationError, TlsError, TransportError
from elasticsearch import ApiError, Elasticsearch, UnsupportedProductError

from include.errors import AccessDenied, EmbsearchError, FatalError, InputError, ServiceUnavailable

TRANSIENT_STATUSES = frozenset({408, 429, 502, 503, 504})
# What passes by itself whatever status it comes with: 403 for a block while a disk is full, 500 for a node that ends.
TRANSIENT_KINDS = frozenset(
    {
        "es_rejected_execution_exception",
        "circuit_breaking_exception",
        "unavailable_shards_exception",
        "no_shard_available_action_exception",
        "cluster_block_exception",
        "node_closed_exception",
        "node_not_connected_exception",
        "process_cluster_event_timeout_exception",
    }
)


@contextmanager
def translated(client: Elasticsearch, action: str) -> Iterator[None]:
    """Raise this project's errors for the client's, naming ``action`` ("create index x") and the hosts.

    Raises:
        ServiceUnavailable: no host answers, or it refuses for now.
        AccessDenied: the certificate, the login or the right is refused.
        InputError: an index or a document does not exist.
        FatalError: any other refusal.
    """
    try:
        yield
    except (ApiError, TransportError, UnsupportedProductError) as error:
        raise meaning(error, action, hosts_of(client)) from error


def hosts_of(client: Elasticsearch) -> str:
    """The hosts of ``client`` for messages, without credentials."""
    return ", ".join(sorted(node.base_url for node in client.transport.node_pool.all()))


def meaning(error: Exception, action: str, hosts: str) -> EmbsearchError:
    """The project's error for one of the client's."""
    if isinstance(error, ApiError):
        return _refusal(error, f"Elasticsearch at {hosts}: cannot {action}: ")
    if is_certificate_error(error):
        why = str(error).rpartition("SSLError(")[2].rstrip(")")
        msg = (
            f"Elasticsearch at {hosts}: cannot {action}: the server's certificate is not the expected one ({why}). "
            "Check EMBSEARCH_ES_SSL_FINGERPRINT or EMBSEARCH_ES_CA_CERTS (or the Airflow connection's extra); "
            "when the certificate was not renewed on purpose, do not go on."
        )
        return AccessDenied(msg)
    if isinstance(error, UnsupportedProductError):
        return FatalError(f"{hosts} is not Elasticsearch: {error}. Check EMBSEARCH_ES_URL.")
    if isinstance(error, SerializationError):
        msg = f"{hosts} does not answer as Elasticsearch does ({action}): {error}. Check EMBSEARCH_ES_URL, and proxies."
        return FatalError(msg)
    what = "does not answer in time" if isinstance(error, ConnectionTimeout) else "cannot be reached"
    msg = (
        f"Elasticsearch at {hosts} {what} ({action}). Start it (`make up`), or correct EMBSEARCH_ES_URL: "
        "host, port, and https:// for a server with TLS."
    )
    return ServiceUnavailable(msg)


def is_transient(status: int, kind: str) -> bool:
    """Whether a refused request, or one refused document of a bulk request, may succeed when sent again."""
    return status in TRANSIENT_STATUSES or kind in TRANSIENT_KINDS


def is_certificate_error(error: Exception) -> bool:
    """Whether TLS failed for good; a server that stops in the middle of a handshake also gives a ``TlsError``."""
    return isinstance(error, TlsError) and not any(sign in str(error) for sign in ("EOF", "reset", "timed out"))


def reason_of(error: ApiError) -> tuple[str, str]:
    """Type and reason of a refused request."""
    return reason_in(error.body)


def reason_in(body: Any) -> tuple[str, str]:
    """Type and reason in an answer's body or in an item's error."""
    found = body.get("error", body) if isinstance(body, dict) else body
    if isinstance(found, dict):
        causes = found.get("root_cause") or [found]
        cause = found.get("caused_by") or causes[0]
        return str(found.get("type", "")), str(cause.get("reason") or found.get("reason") or "")
    return "", str(found or "")


def _refusal(error: ApiError, prefix: str) -> EmbsearchError:
    status = error.meta.status
    kind, reason = reason_of(error)
    if status == 401:
        return AccessDenied(f"{prefix}the user and password, or the API key, are refused. Check the credentials.")
    if is_transient(status, kind):
        return ServiceUnavailable(f"{prefix}it refuses for now (HTTP {status} {kind}: {reason}). Try again later.")
    if status == 403:  # a HEAD request is answered without a type and a reason
        return AccessDenied(f"{prefix}the login is right but lacks the right. Grant it to this user or key. {reason}")
    if status == 404:
        return InputError(f"{prefix}{reason or 'it does not exist'}. Check the name.")
    return FatalError(f"{prefix}HTTP {status} {kind}: {reason}")
