"""What Redis' refusals mean to a user: the client's exceptions as this project's."""

from __future__ import annotations

import ssl
from collections.abc import Iterator
from contextlib import contextmanager

from redis import RedisError, WatchError
from redis import exceptions as refusals

from include.errors import AccessDenied, EmbsearchError, FatalError, InputError, ServiceUnavailable, SetupError

CLUSTER = (
    refusals.MovedError,
    refusals.AskError,
    refusals.ClusterCrossSlotError,
    refusals.ClusterDownError,
    refusals.TryAgainError,
)
# What each refusal means; the first that fits counts, so a narrower one stands before a wider one.
MEANINGS: tuple[tuple[type[Exception] | tuple[type[Exception], ...], type[EmbsearchError], str], ...] = (
    (
        refusals.OutOfMemoryError,
        SetupError,
        "its memory is full, so nothing was changed. A run needs room for the old sets and the new at once: raise "
        "maxmemory (of the local stack: EMBSEARCH_REDIS_MAXMEMORY_MB, then make up), or free some",
    ),
    (
        refusals.NoPermissionError,
        AccessDenied,
        "the login is right but lacks the right ({said}). Grant it: see docs/playlists.md",
    ),
    (
        (refusals.AuthenticationError, refusals.AuthorizationError),
        AccessDenied,
        "the login is refused ({said}). Check EMBSEARCH_REDIS_USER and EMBSEARCH_REDIS_PASSWORD, or the Airflow "
        "connection redis_default",
    ),
    (
        CLUSTER,
        InputError,
        "it is one server of a cluster, over which the sets cannot change together ({said}). Name a server that "
        "stands alone by EMBSEARCH_REDIS_URL",
    ),
    (refusals.BusyLoadingError, ServiceUnavailable, "it is still reading its data. Try again later"),
    (
        refusals.ReadOnlyError,
        ServiceUnavailable,
        "it is a replica now. Try again later, or name the primary by EMBSEARCH_REDIS_URL",
    ),
    (
        (refusals.ConnectionError, refusals.TimeoutError),
        ServiceUnavailable,
        "it does not answer ({said}). Start it (`make up`), or correct EMBSEARCH_REDIS_URL: host, port, and rediss:// "
        "for a server with TLS",
    ),
)
DISK = "it cannot write to its disk, so nothing was changed ({said}). Free some space there"
CERTIFICATE = (
    "the server's certificate is not the expected one ({said}). Check EMBSEARCH_REDIS_CA_CERTS; when the certificate "
    "was not renewed on purpose, do not go on"
)


@contextmanager
def translated(url: str, action: str) -> Iterator[None]:
    """Raise this project's errors for the client's, naming ``action`` ("read x") and the server's ``url``.

    That a watched key has changed is no failure and passes through.

    Raises:
        ServiceUnavailable: it does not answer, or refuses for now.
        AccessDenied: the certificate, the login or the right is refused.
        SetupError: its memory or its disk is full.
        InputError: it is one server of a cluster.
        FatalError: any other refusal.
    """
    try:
        yield
    except WatchError:
        raise
    except RedisError as error:
        kind, meaning = _meaning(error)
        said = str(error).rpartition("caused error: ")[2]  # what stands before holds the values that were sent
        raise kind(f"Redis at {url}: cannot {action}: {meaning.format(said=said.rstrip('.'))}.") from error


def _meaning(error: RedisError) -> tuple[type[EmbsearchError], str]:
    if _is_certificate_error(error):
        return AccessDenied, CERTIFICATE
    for kinds, meant, words in MEANINGS:
        if isinstance(error, kinds):
            return meant, words
    if "MISCONF" in str(error):
        return SetupError, DISK
    return FatalError, "{said}"


def _is_certificate_error(error: BaseException | None) -> bool:
    """Whether TLS failed for good, as the cause tells that redis-py keeps."""
    while error is not None:
        if isinstance(error, ssl.SSLCertVerificationError):
            return True
        error = error.__cause__ or error.__context__
    return False
