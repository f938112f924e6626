"""How to reach Redis: host, database, login, plain or TLS."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Self
from urllib.parse import urlsplit

from redis import Redis
from redis.backoff import NoBackoff
from redis.exceptions import ConnectionError as NotConnected
from redis.retry import Retry

from include.errors import InputError
from include.playlists.faults import translated
from include.settings import Settings

CONNECT_SECONDS = 5.0
ANSWER_SECONDS = 30.0
DEFAULT_PORT = 6379


@dataclass(frozen=True)
class RedisConnection:
    """Where Redis is and who asks; the password never appears in its ``repr``."""

    host: str
    port: int = DEFAULT_PORT
    database: int = 0
    user: str | None = None
    password: str | None = field(default=None, repr=False)
    tls: bool = False
    ca_certs: Path | None = None

    @classmethod
    def from_settings(cls, settings: Settings) -> Self:
        """The settings' connection.

        Raises:
            InputError: ``redis_url`` is not the URL of a Redis server.
        """
        parts = urlsplit(settings.redis_url)
        try:
            port, database = parts.port or DEFAULT_PORT, int(parts.path.strip("/") or 0)
        except ValueError:
            port = database = -1
        if parts.scheme not in {"redis", "rediss"} or not parts.hostname or database < 0 or parts.query:
            msg = (
                f"EMBSEARCH_REDIS_URL={settings.redis_url} is not the URL of a Redis server. Write it as "
                "redis://127.0.0.1:6379/0, or rediss:// for TLS; the last part is the database."
            )
            raise InputError(msg)
        password = settings.redis_password.get_secret_value() if settings.redis_password else None
        tls, authority = parts.scheme == "rediss", settings.redis_ca_certs
        if authority and not authority.is_file():
            msg = f"EMBSEARCH_REDIS_CA_CERTS={authority} is not a file. Name the certificates of the authority, as PEM."
            raise InputError(msg)
        return cls(parts.hostname, port, database, settings.redis_user, password, tls, authority)

    @property
    def url(self) -> str:
        """For messages: without the login."""
        name = f"[{self.host}]" if ":" in self.host else self.host
        return f"{'rediss' if self.tls else 'redis'}://{name}:{self.port}/{self.database}"

    def client(self) -> Redis:
        """A client that has not connected yet; a connection that was lost while it was idle is made anew, once."""
        secure: dict[str, Any] = {"ssl": True, "ssl_ca_certs": str(self.ca_certs) if self.ca_certs else None}
        return Redis(
            host=self.host,
            port=self.port,
            db=self.database,
            username=self.user,
            password=self.password,
            protocol=2,  # every version of Redis speaks it
            driver_info=None,
            retry=Retry(NoBackoff(), 1, (NotConnected,)),
            socket_connect_timeout=CONNECT_SECONDS,
            socket_timeout=ANSWER_SECONDS,
            **(secure if self.tls else {}),
        )


@contextmanager
def connected(connection: RedisConnection) -> Iterator[Redis]:
    """A client that has reached the server and logged in; closed at the end.

    Raises:
        ServiceUnavailable: it does not answer, or is still reading its data.
        AccessDenied: the login or the certificate is not accepted.
    """
    client = connection.client()
    try:
        with translated(connection.url, "connect"):
            client.ping()
        yield client
    finally:
        client.close()
