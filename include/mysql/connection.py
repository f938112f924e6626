"""How to reach MySQL or MariaDB: host, database, login, plain or TLS."""

from __future__ import annotations

import logging
import ssl
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, Self, TypeVar
from urllib.parse import unquote, urlsplit

import pymysql
from pydantic import SecretStr
from tenacity import RetryCallState, Retrying, retry_if_exception_type, stop_after_delay, wait_random_exponential

from include.errors import InputError, TransientError
from include.mysql.faults import translated
from include.settings import PREFIX, Settings

log = logging.getLogger(__name__)
Result = TypeVar("Result")

CONNECT_SECONDS = 10
READ_SECONDS = 300  # of silence: the largest scan of ids is answered in pieces, each within seconds
WRITE_SECONDS = 60
RETRY_SECONDS = 60.0  # without an answer; a server that is started again is back within it
READ_ONLY = "SET SESSION TRANSACTION READ ONLY"  # for a login that may do more than it should
FIRST_WAIT, LONGEST_WAIT = 0.2, 5.0  # seconds; each wait is random between 0 and a bound that doubles


@dataclass(frozen=True)
class MysqlConnection:
    """Where a database is and who asks; the password never appears in its ``repr``."""

    host: str
    port: int
    database: str
    user: str | None = None
    password: str | None = field(default=None, repr=False)
    ca_certs: Path | None = None
    settings: str = "mysql"  # the settings it comes from begin so: to name them in messages

    @classmethod
    def from_settings(cls, settings: Settings) -> Self:
        """The database with the tables of vectors.

        Raises:
            InputError: the URL cannot be understood.
        """
        return cls._of("mysql", settings)

    @classmethod
    def backup(cls, settings: Settings) -> Self:
        """The database with the songs of the programmes.

        Raises:
            InputError: the URL cannot be understood.
        """
        return cls._of("backup_mysql", settings)

    @classmethod
    def images(cls, settings: Settings) -> Self:
        """The database of images.

        Raises:
            InputError: the URL cannot be understood.
        """
        return cls._of("images_mysql", settings)

    @classmethod
    def _of(cls, prefix: str, settings: Settings) -> Self:
        url: str = getattr(settings, f"{prefix}_url")
        password: SecretStr | None = getattr(settings, f"{prefix}_password")
        return cls(
            *_parts(url, f"{PREFIX}{prefix.upper()}_URL"),
            user=getattr(settings, f"{prefix}_user"),
            password=password.get_secret_value() if password else None,
            ca_certs=getattr(settings, f"{prefix}_ca_certs"),
            settings=prefix,
        )

    def owned(self, settings: Settings) -> MysqlConnection:
        """The same database by the login that may make tables, where the settings have one."""
        prefix = "images_mysql" if self.settings == "images_mysql" else "mysql"
        user: str | None = getattr(settings, f"{prefix}_owner_user")
        password: SecretStr | None = getattr(settings, f"{prefix}_owner_password")
        if user is None:
            return self
        return replace(self, user=user, password=password.get_secret_value() if password else None)

    @property
    def url(self) -> str:
        """For messages; without the login."""
        return f"mysql://{self.host}:{self.port}/{self.database}"

    def arguments(self) -> dict[str, Any]:
        """Keyword arguments of ``pymysql.connect``.

        Raises:
            InputError: the file with the certificates cannot be read.
        """
        arguments: dict[str, Any] = {
            "host": self.host,
            "port": self.port,
            "database": self.database,
            "user": self.user or "",
            "password": self.password or "",
            "charset": "utf8mb4",
            "autocommit": True,
            "connect_timeout": CONNECT_SECONDS,
            "read_timeout": READ_SECONDS,
            "write_timeout": WRITE_SECONDS,
        }
        if self.ca_certs:
            try:
                arguments["ssl"] = ssl.create_default_context(cafile=str(self.ca_certs))
            except (OSError, ssl.SSLError) as error:
                setting = f"{PREFIX}{self.settings.upper()}_CA_CERTS"
                msg = f"{setting}={self.ca_certs} is no file of certificates ({error}). Correct or unset it."
                raise InputError(msg) from error
        return arguments


def _parts(url: str, setting: str) -> tuple[str, int, str]:
    """Host, port and database of ``mysql://<host>:<port>/<database>``."""
    try:
        parts = urlsplit(url)
        host, port, database = parts.hostname or "", parts.port or 3306, unquote(parts.path.removeprefix("/"))
    except ValueError:
        host, port, database = "", 0, ""
        parts = urlsplit("")
    if parts.scheme not in {"mysql", "mariadb"} or not host or not database or "/" in database:
        msg = f"{setting}={url} is not the URL of a database. Write it as mysql://<host>:3306/<database>."
        raise InputError(msg)
    return host, port, database


class Session:
    """A connection that asks again when it was lost in the middle; use it as a context manager.

    Statements run one by one, each committed by itself, so a question can be repeated. The first connection is tried
    once: a wrong address is told at once.

    Raises:
        ServiceUnavailable: the server does not answer.
        AccessDenied: it refuses the login, the right, or its certificate is not the expected one.
        InputError: the database does not exist.
    """

    def __init__(
        self, connection: MysqlConnection, *, retry_seconds: float = RETRY_SECONDS, prepare: Sequence[str] = ()
    ) -> None:
        self.connection = connection
        self._retry_seconds = retry_seconds
        self._prepare = tuple(prepare)  # statements for each new connection
        self._open: Any = None
        self._again(self._connected, "connect", attempts=False)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_raised: object) -> None:
        self.close()

    def close(self) -> None:
        """Leave the server."""
        if self._open is not None and self._open.open:
            self._open.close()
        self._open = None

    def ask(self, statement: str, arguments: Any = (), *, of: str) -> tuple[tuple[Any, ...], ...]:
        """All rows of a question that changes nothing, asked again over a new connection when one is lost.

        ``of`` names in messages what is read.
        """
        return self._again(lambda: self._fetch(statement, arguments), f"read {of}")

    def tell(self, statement: str, arguments: Any = None, *, of: str) -> int:
        """Run a statement once; return how many rows it changed. Without arguments ``%`` stands for itself."""
        return self._again(lambda: self._run(statement, arguments), f"write {of}", attempts=False)

    def tell_many(self, statement: str, rows: Any, *, of: str) -> int:
        """Run an INSERT once for all ``rows``; return how many rows it changed."""

        def run() -> int:
            with self._connected().cursor() as cursor:
                return int(cursor.executemany(statement, rows) or 0)

        return self._again(run, f"write {of}", attempts=False)

    def _fetch(self, statement: str, arguments: Any) -> tuple[tuple[Any, ...], ...]:
        with self._connected().cursor() as cursor:
            cursor.execute(statement, arguments)
            rows: tuple[tuple[Any, ...], ...] = cursor.fetchall()
            return rows

    def _run(self, statement: str, arguments: Any) -> int:
        with self._connected().cursor() as cursor:
            return int(cursor.execute(statement, arguments))

    def _connected(self) -> Any:
        if self._open is None:
            opened = pymysql.connect(**self.connection.arguments())
            with opened.cursor() as cursor:
                for statement in self._prepare:
                    cursor.execute(statement)
            self._open = opened
        return self._open

    def _again(self, work: Callable[[], Result], action: str, *, attempts: bool = True) -> Result:
        def once() -> Result:
            try:
                with translated(self.connection.url, self.connection.settings, action):
                    return work()
            except TransientError:
                self._drop()
                raise

        if not attempts:
            return once()
        tries = Retrying(
            wait=wait_random_exponential(multiplier=FIRST_WAIT, max=LONGEST_WAIT),
            stop=stop_after_delay(self._retry_seconds),
            retry=retry_if_exception_type(TransientError),
            before_sleep=_tell,
            reraise=True,
        )
        result: Result = tries(once)
        return result

    def _drop(self) -> None:
        """Forget a connection whose state is unknown, without a farewell that would wait for it."""
        if self._open is not None:
            self._open._force_close()  # noqa: SLF001 — close() would talk to the server
        self._open = None


def _tell(state: RetryCallState) -> None:
    if state.attempt_number == 1 and state.outcome is not None:
        log.warning("%s Trying again until it is over.", state.outcome.exception())
