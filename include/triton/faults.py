"""What went wrong in a call to a server, as one of this project's errors."""

from __future__ import annotations

import aiohttp
from tritonclient.utils import InferenceServerException

from include.errors import AccessDenied, ContractError, EmbsearchError, FatalError, InputError, ServiceUnavailable

PASSING = frozenset({"408", "429", "502", "503", "504"})
# Answers with status 500 that a later try may not get: the server starts a new process for a dead one.
PASSING_WORDS = ("stub process", "is not healthy")
NOT_LOADED_WORDS = ("unknown model", "is not ready", "is not at ready state", "has no available versions")


class NotLoaded(FatalError):
    """The server lives, and has no such model; another server of the list may have it."""


class OtherModel(ContractError):
    """The server has the model, but not in the version that is asked for; another server of the list may have that."""


class TooSlow(ServiceUnavailable):
    """The server works on a request for longer than that may take: to send it again would only add to its work."""


def translate(error: Exception, *, url: str) -> EmbsearchError:
    """The error of a call to ``url``, by whether it may pass."""
    if isinstance(error, InferenceServerException):
        return _answered(error, url)
    if isinstance(error, aiohttp.ClientConnectorCertificateError):
        return AccessDenied(f"Triton at {url} shows a certificate that is not trusted: {error}. Check kserve_url.")
    if isinstance(error, TimeoutError) and not isinstance(error, aiohttp.ServerTimeoutError):
        msg = (
            f"Triton at {url} did not answer a request in the time that it had: it has more work than it can do. Ask "
            "less at once, allow more time, or add instances or servers."
        )
        return TooSlow(msg)
    if isinstance(error, (OSError, aiohttp.ClientError)):
        reason = f"{type(error).__name__}: {error}"
        msg = f"Triton at {url} does not answer ({reason}). Start it (`make up`) or check kserve_url."
        return ServiceUnavailable(msg)
    return FatalError(f"Triton at {url}: {type(error).__name__}: {error}")


def _answered(error: InferenceServerException, url: str) -> EmbsearchError:
    status, message = str(error.status() or ""), str(error.message() or "")
    words = message.lower()
    if any(part in words for part in NOT_LOADED_WORDS):
        return NotLoaded(message)
    if status in PASSING or any(part in words for part in PASSING_WORDS):
        return ServiceUnavailable(f"Triton at {url} refuses for now ({status}): {message}")
    if status in ("401", "403"):
        return AccessDenied(f"Triton at {url} refuses the access ({status}): {message}")
    return InputError(f"Triton at {url} refuses the request ({status}): {message}")
