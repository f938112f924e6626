"""Bodies in JSON, read once their sender is known.

A body that an endpoint declares as a parameter is read by FastAPI before any dependency is asked, so before the login.
One that a dependency reads waits for those of the route.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Any, TypeVar

from fastapi import HTTPException, Request
from fastapi.exceptions import RequestValidationError
from pydantic import BaseModel, ValidationError

M = TypeVar("M", bound=BaseModel)

JSON = "application/json"


def json_body(kind: type[M]) -> Callable[[Request], Awaitable[M]]:
    """A dependency that reads a body of this kind; it comes after those that the route itself has.

    Raises, when it is asked:
        HTTPException: the body is of another type.
        RequestValidationError: it is no JSON, or a field is missing, unknown or out of bounds.
    """

    async def read(request: Request) -> M:
        if content_type(request) != JSON:
            raise HTTPException(415, f"Send {JSON}.")
        return checked(kind, await request.body())

    return read


def described(kind: type[BaseModel]) -> dict[str, Any]:
    """What the API's description says of a route whose body :func:`json_body` reads."""
    return {"requestBody": {"required": True, "content": {JSON: {"schema": kind.model_json_schema()}}}}


def content_type(request: Request) -> str:
    """The type of the body, without its parameters; empty when none is given."""
    return request.headers.get("content-type", "").partition(";")[0].strip().lower()


def checked(kind: type[M], given: bytes | dict[str, Any]) -> M:
    """A body or its fields as ``kind``.

    Raises:
        RequestValidationError: a field is missing, unknown or out of bounds.
    """
    try:
        return kind.model_validate_json(given) if isinstance(given, bytes) else kind.model_validate(given)
    except ValidationError as error:
        found = [{**each, "loc": ("body", *each["loc"])} for each in error.errors(include_url=False)]
        raise RequestValidationError(found) from error
