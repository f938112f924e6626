"""A real Redis for tests, on a free port, that can be stopped, killed and started again over the same data."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from pydantic import SecretStr
from redis import Redis

from include.local_stack import redis
from include.local_stack.ports import free_ports
from include.local_stack.service import Service
from include.playlists.connection import RedisConnection
from include.settings import Settings
from tests.integration.guarded_server import GuardedServer

PASSWORD = 'a "pass" \\ wörd'


@dataclass
class RedisServer(GuardedServer):
    """One server, made as the local stack makes its own."""

    service: Service

    @classmethod
    def at(cls, folder: Path, *, maxmemory_mb: int = 64, port: int | None = None) -> RedisServer:
        port = port or free_ports(1)[0]
        log = folder / "redis.log"
        return cls(redis.service(folder, port=port, password=PASSWORD, log=log, maxmemory_mb=maxmemory_mb))

    @property
    def settings(self) -> Settings:
        """Those by which it is found."""
        return Settings(_env_file=None, redis_url=self.service.url, redis_password=SecretStr(PASSWORD))

    @property
    def connection(self) -> RedisConnection:
        return RedisConnection.from_settings(self.settings)

    @contextmanager
    def client(self) -> Iterator[Redis]:
        """The administrator's."""
        with self.connection.client() as client:
            yield client
