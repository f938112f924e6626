"""The API as a server of its own."""

from __future__ import annotations

import logging
import os
import socket
from collections.abc import Callable
from contextlib import closing, suppress

from include.errors import EmbsearchError, SetupError, TransientError
from include.images.api.access import Access, by_token
from include.images.api.app import create_app
from include.images.api.listener import announcing, bound
from include.images.api.rebuilds import by_settings
from include.images.api.serving import Serving
from include.images.parameters import IMAGE_TYPES, ImageType
from include.settings import Settings

log = logging.getLogger(__name__)

AT_ONCE = 200  # connections; one more is answered with 503
IDLE_SECONDS = 30
ENDING_SECONDS = 20  # for requests that are under way when the server is told to stop


def serve(settings: Settings, *, host: str, port: int, rebuild: Callable[[ImageType], object] | None = None) -> None:
    """Serve until SIGTERM or Ctrl-C; requests under way are answered first.

    ``rebuild`` builds the index of a type anew and is called before the first request. Where that fails, for whatever
    reason, the last saved index is served. Callers are told apart by the address that they connect from, or by the one
    that a proxy named in FORWARDED_ALLOW_IPS forwards for.

    Raises:
        InputError: no token is set.
        SetupError: there is no index to serve, or nobody can listen at the address.
    """
    access = by_token(settings)
    with closing(bound(host, port)) as listener:  # before an index is built, which may take long
        _serve(settings, access, listener, rebuild)


def _serve(
    settings: Settings, access: Access, listener: socket.socket, rebuild: Callable[[ImageType], object] | None
) -> None:
    import uvicorn  # noqa: PLC0415

    if rebuild is not None:
        _rebuilt(rebuild)
    with Serving(settings) as serving:
        _check_indexes(serving)
        app = create_app(serving, access, by_settings(settings), open_docs=True)
        config = uvicorn.Config(
            app,
            log_config=None,  # this project's own
            access_log=False,
            server_header=False,
            forwarded_allow_ips=os.environ.get("FORWARDED_ALLOW_IPS", ""),  # else uvicorn believes every local caller
            limit_concurrency=AT_ONCE,
            timeout_keep_alive=IDLE_SECONDS,
            timeout_graceful_shutdown=ENDING_SECONDS,
        )
        with suppress(KeyboardInterrupt):  # which comes when all requests are answered
            announcing(config, listener).run(sockets=[listener])


def _rebuilt(rebuild: Callable[[ImageType], object]) -> None:
    for kind in IMAGE_TYPES:
        try:
            rebuild(kind)
        except Exception as error:  # a saved index is better than no server, whatever failed
            log.log(
                logging.WARNING,
                "The %s images could not be indexed anew, so their last saved index is served: %s: %s",
                kind,
                type(error).__name__,
                error,
                exc_info=not isinstance(error, EmbsearchError),  # whose message says it all
            )


def _check_indexes(serving: Serving) -> None:
    """Raises ``SetupError`` when there is nothing to search; one type of the two is enough."""
    faults = []
    for kind in IMAGE_TYPES:
        try:
            index = serving.index(kind, serving.edition)
        except TransientError as error:
            faults.append(str(error))
        else:
            log.info("%s: %s images, version %s", kind, f"{index.size:,}", index.version)
    if len(faults) == len(IMAGE_TYPES):
        raise SetupError(" ".join(faults))
    for fault in faults:
        log.warning("%s", fault)
