"""What a caller is told when a request fails: one shape, no inside of this server."""

from __future__ import annotations

import logging
import math
from collections.abc import Mapping
from http import HTTPStatus
from typing import Any

from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse
from starlette.exceptions import HTTPException

from include.errors import Busy, EmbsearchError, InputError, TransientError
from include.images.api.contract import Fault, Refusal
from include.images.api.rebuilds import UnknownRun
from include.images.api.serving import NoIndex
from include.images.pictures import NotAPicture, PictureTooLarge
from include.objects.locations import NotAllowed
from include.objects.store import BucketMissing, ObjectMissing, TooLarge

log = logging.getLogger(__name__)

RETRY_SECONDS = 5

# The first that fits counts. What is not named here is this server's fault, and only its log says which.
_STATUS: tuple[tuple[type[EmbsearchError], int, str], ...] = (
    (NotAllowed, 403, "not_allowed"),
    (ObjectMissing, 404, "not_found"),
    (BucketMissing, 404, "bucket_not_found"),
    (UnknownRun, 404, "not_found"),
    (TooLarge, 413, "too_large"),
    (PictureTooLarge, 413, "too_large"),
    (NotAPicture, 422, "not_a_picture"),
    (InputError, 400, "bad_request"),
    (Busy, 409, "busy"),
    (NoIndex, 503, "no_index"),
    (TransientError, 503, "unavailable"),
)
_TOLD = {"bucket_not_found": "The store has no such bucket."}  # the fault itself names the store
_UNAVAILABLE = "Something that this needs does not answer: GET /health says what. Try again later."
_INTERNAL = "The server failed at this request. Its log has the reason under the request's id."


def add_handlers(app: FastAPI) -> None:
    """Answer every refusal and failure in the one shape."""
    app.add_exception_handler(HTTPException, _refused)
    app.add_exception_handler(RequestValidationError, _not_valid)
    app.add_exception_handler(EmbsearchError, _failed)


def refusal(
    request_id: str,
    status: int,
    code: str,
    message: str,
    *,
    headers: Mapping[str, str] | None = None,
    details: list[dict[str, Any]] | None = None,
) -> JSONResponse:
    """An answer in the one shape."""
    told = Refusal(error=Fault(code=code, message=message, request_id=request_id, details=details))
    return JSONResponse(told.model_dump(mode="json", exclude_none=True), status, headers=dict(headers or {}))


def internal(request_id: str) -> JSONResponse:
    """The answer after a failure that nobody foresaw."""
    return refusal(request_id, 500, "internal", _INTERNAL)


def request_id(request: Request) -> str:
    """The request's id, which the guard has given it."""
    return str(request.scope.get("request_id", ""))


async def _refused(request: Request, error: Exception) -> JSONResponse:
    assert isinstance(error, HTTPException)  # noqa: S101 — for the type checker
    code = HTTPStatus(error.status_code).phrase.lower().replace(" ", "_").replace("-", "_")
    return refusal(request_id(request), error.status_code, code, str(error.detail), headers=error.headers)


async def _not_valid(request: Request, error: Exception) -> JSONResponse:
    assert isinstance(error, RequestValidationError)  # noqa: S101 — for the type checker
    found = [{"where": [str(part) for part in each["loc"]], "message": str(each["msg"])} for each in error.errors()]
    where = ".".join(found[0]["where"]) if found else "body"
    said = f"{where}: {found[0]['message']}" if found else "The request cannot be understood."
    return refusal(request_id(request), 422, "invalid", said, details=found)


async def _failed(request: Request, error: Exception) -> JSONResponse:
    own = request_id(request)
    for kind, status, code in _STATUS:
        if isinstance(error, kind):
            if status < 500:
                return refusal(own, status, code, _TOLD.get(code, str(error)))
            log.warning("%s %s: %s", own, request.url.path, error)
            again = {"Retry-After": str(math.ceil(RETRY_SECONDS))}
            told = str(error) if kind is NoIndex else _UNAVAILABLE
            return refusal(own, status, code, told, headers=again)
    log.error("%s %s", own, request.url.path, exc_info=error)
    return internal(own)
