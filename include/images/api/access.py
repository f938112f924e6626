"""Who asks, and what they may do."""

from __future__ import annotations

import hmac
import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Annotated, Any

from fastapi import Depends, HTTPException, Request
from fastapi.security import HTTPAuthorizationCredentials, HTTPBearer

from include.errors import InputError
from include.images.api.pace import Pace

if TYPE_CHECKING:
    from include.settings import Settings

SHORTEST_TOKEN = 16  # characters


@dataclass(frozen=True)
class Caller:
    """Who asks, as far as others need to know."""

    name: str
    token: str | None = None  # to act with that caller's rights elsewhere


@dataclass(frozen=True)
class Access:
    """Dependencies of FastAPI; each refuses, or leaves the :class:`Caller` in ``request.state.caller``."""

    search: Callable[..., Any]  # to search, and to look at the state of things
    write: Callable[..., Any]  # to rebuild indexes and register images
    watch: Callable[..., Any]  # to ask for the state of a rebuild


_bearer = HTTPBearer(auto_error=False, description="The server's token.")


def by_token(settings: Settings) -> Access:
    """One token for all; for a server of its own.

    Raises:
        InputError: no token is set, or a short one: nobody could be told from anybody.
    """
    expected = settings.images_token.get_secret_value() if settings.images_token else ""
    if len(expected) < SHORTEST_TOKEN:
        msg = (
            f"EMBSEARCH_IMAGES_TOKEN must have {SHORTEST_TOKEN} characters or more: without it anybody could search "
            "and write. Make one: python3 -c 'import secrets; print(secrets.token_urlsafe(32))'."
        )
        raise InputError(msg)
    refused = Pace(settings.images_requests_per_minute)

    def holder(request: Request, credentials: Annotated[HTTPAuthorizationCredentials | None, Depends(_bearer)]) -> None:
        given = credentials.credentials if credentials else ""
        if not hmac.compare_digest(given.encode(), expected.encode()):
            slow_down(refused, address_of(request))  # whoever tries tokens is slowed, too
            raise HTTPException(401, "Give the server's token as a bearer token.", {"WWW-Authenticate": "Bearer"})
        request.state.caller = Caller("token")

    return Access(search=holder, write=holder, watch=holder)


def paced(pace: Pace) -> Callable[[Request], None]:
    """A dependency that refuses a caller who asks too often. It comes after the one that knows who asks."""

    def check(request: Request) -> None:
        slow_down(pace, sender_of(request))

    return check


def slow_down(pace: Pace, who: str, cost: float = 1) -> None:
    """Refuse with 429 when ``who`` has no token left, else take ``cost`` of them."""
    if seconds := pace.wait_for(who, cost):
        again = {"Retry-After": str(math.ceil(seconds))}
        raise HTTPException(429, f"Too many requests. Ask again in {math.ceil(seconds)} s.", again)


def sender_of(request: Request) -> str:
    """Who sent the request, and from where."""
    caller: Caller = request.state.caller
    return f"{caller.name} {address_of(request)}"


def address_of(request: Request) -> str:
    """Where the request came from."""
    return request.client.host if request.client else "unknown"
