"""A real MariaDB for tests, on a free port, that can be stopped, killed and started again over the same data."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pymysql

from include.local_stack import mariadb
from include.local_stack.ports import free_ports
from include.local_stack.service import Service
from include.settings import Settings
from tests.integration.guarded_server import GuardedServer

PASSWORDS = {mariadb.READER: "reads-only", mariadb.OWNER: "owns-tables"}


@dataclass
class MariadbServer(GuardedServer):
    """One server."""

    service: Service
    port: int

    @classmethod
    def at(cls, folder: Path, distribution: Path, *extra: str) -> MariadbServer:
        (port,) = free_ports(1)
        service = mariadb.service(
            distribution, folder / "node", port=port, users=PASSWORDS, log=folder / "mariadb.log", extra=extra
        )
        return cls(service, port)

    def tell(self, statement: str, arguments: Any = None, *, database: str | None = None, many: bool = False) -> int:
        """Run a statement as the owner."""
        with (
            pymysql.connect(
                host="127.0.0.1",
                port=self.port,
                user=mariadb.OWNER,
                password=PASSWORDS[mariadb.OWNER],
                database=database,
                autocommit=True,
            ) as connection,
            connection.cursor() as cursor,
        ):
            return int((cursor.executemany if many else cursor.execute)(statement, arguments) or 0)

    @contextmanager
    def database(self, name: str) -> Iterator[MariadbDatabase]:
        """A pair of empty databases that nobody else uses."""
        names = (f"music_{name}", f"music_{name}_backup")
        for each in names:
            self.tell(f"CREATE DATABASE `{each}` CHARACTER SET utf8mb4")
        try:
            yield MariadbDatabase(self, name)
        finally:
            for each in names:
                self.tell(f"DROP DATABASE `{each}`")


@dataclass(frozen=True)
class MariadbDatabase:
    """The databases of one test."""

    server: MariadbServer
    name: str

    def settings(self, **more: Any) -> Settings:
        """What leads to them: jobs read, the owner makes tables."""
        values = {
            "mysql_url": f"mysql://127.0.0.1:{self.server.port}/music_{self.name}",
            "backup_mysql_url": f"mysql://127.0.0.1:{self.server.port}/music_{self.name}_backup",
            "mysql_user": mariadb.READER,
            "mysql_password": PASSWORDS[mariadb.READER],
            "backup_mysql_user": mariadb.READER,
            "backup_mysql_password": PASSWORDS[mariadb.READER],
            "mysql_owner_user": mariadb.OWNER,
            "mysql_owner_password": PASSWORDS[mariadb.OWNER],
        }
        return Settings(**{"_env_file": None, **values, **more})

    def tell(self, statement: str, arguments: Any = None, *, many: bool = False) -> int:
        """Run a statement as the owner."""
        return self.server.tell(statement, arguments, database=f"music_{self.name}", many=many)

    def tell_backup(self, statement: str, arguments: Any = None, *, many: bool = False) -> int:
        """The same in the backup database."""
        return self.server.tell(statement, arguments, database=f"music_{self.name}_backup", many=many)
