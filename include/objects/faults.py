"""What an object store refuses, in this project's classes: told apart are bucket, object, key, and the way there."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from include.errors import AccessDenied, ContractError, EmbsearchError, InputError, ServiceUnavailable, SetupError


class ObjectMissing(InputError):
    """There is no object under this address."""


class BucketMissing(InputError):
    """The store has no such bucket."""


class TooLarge(InputError):
    """The object has more bytes than may be read."""


class Redirected(Exception):
    """The store sends elsewhere."""


_LOGIN = {
    "AccessDenied", "InvalidAccessKeyId", "SignatureDoesNotMatch", "AuthorizationHeaderMalformed", "ExpiredToken",
    "InvalidToken", "RequestTimeTooSkewed", "AllAccessDisabled", "401", "403", "Forbidden",
}  # fmt: skip
_GONE = {"NoSuchKey", "404", "NotFound", "NoSuchVersion", "MethodNotAllowed"}
_PASSING = {
    "SlowDown", "RequestTimeout", "InternalError", "ServiceUnavailable", "ThrottlingException", "RequestLimitExceeded",
    "Throttling", "TooManyRequests", "429", "500", "502", "503", "504",
}  # fmt: skip


@contextmanager
def object_faults(url: str, endpoint: str) -> Iterator[None]:
    """Raise this project's error, naming ``url``, for what the store or the way to it refuses."""
    try:
        yield
    except EmbsearchError:
        raise
    except Exception as error:  # botocore, aiohttp, s3fs and the system each have classes of their own
        raise _fault(url, endpoint, error) from error


def bounded(url: str, size: int, most_bytes: int) -> None:
    """Raise ``TooLarge`` when there is more than is read."""
    if size > most_bytes:
        msg = f"{url} has more than {most_bytes:,} bytes, which is more than is read."
        raise TooLarge(msg)


def _fault(url: str, endpoint: str, error: Exception) -> EmbsearchError:
    code, said = _told(error)
    bucket = url.removeprefix("s3://").partition("/")[0]
    if code == "NoSuchBucket":
        return BucketMissing(f"{url}: the store at {endpoint} has no bucket {bucket!r}. Make it, or name another.")
    if code in _LOGIN or isinstance(error, PermissionError):
        return AccessDenied(
            f"{url}: the store at {endpoint} refuses the key or the right ({code or said}). Check "
            "EMBSEARCH_IMAGES_S3_KEY, EMBSEARCH_IMAGES_S3_SECRET and the bucket's policy."
        )
    if code in _GONE or isinstance(error, FileNotFoundError):
        return ObjectMissing(f"{url} is not there.")
    if isinstance(error, Redirected):
        return SetupError(
            f"{url}: the store at {endpoint} sends elsewhere, where nobody follows. Set EMBSEARCH_IMAGES_S3_ENDPOINT "
            "and EMBSEARCH_IMAGES_S3_REGION to where the bucket is."
        )
    if code in _PASSING or _passes(error):
        return ServiceUnavailable(f"{url}: the store at {endpoint} does not answer ({said}). Try again later.")
    return ContractError(f"{url}: the store at {endpoint} gave an answer that is not understood ({code} {said}).")


def _told(error: BaseException) -> tuple[str, str]:
    """The store's code, of the error or of what caused it, and a short saying without a secret."""
    found: BaseException | None = error
    while found is not None:
        response: Any = getattr(found, "response", None)
        if isinstance(response, dict) and "Error" in response:
            return str(response["Error"].get("Code", "")), type(found).__name__
        found = found.__cause__ or found.__context__
    return "", type(error).__name__


def _passes(error: BaseException) -> bool:
    """Whether the way to the store broke, was too slow, or the store closed it."""
    from aiohttp import ClientError as BrokenHttp  # noqa: PLC0415 — both take long to import
    from botocore.exceptions import HTTPClientError, IncompleteReadError  # noqa: PLC0415

    found: BaseException | None = error
    while found is not None:
        if isinstance(found, (BrokenHttp, HTTPClientError, IncompleteReadError, OSError, EOFError)):
            return True
        found = found.__cause__ or found.__context__
    return False
