"""The database of images: each question is a transaction; what changes nothing is asked again while it is away."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Self, TypeVar

import pymysql
from sqlalchemy import create_engine, text
from sqlalchemy.exc import DBAPIError
from sqlalchemy.orm import Session
from tenacity import Retrying, retry_if_exception_type, stop_after_delay, wait_random_exponential

from include.errors import InputError, TransientError
from include.mysql.connection import MysqlConnection
from include.mysql.faults import meaning
from include.settings import PREFIX

Result = TypeVar("Result")

RETRY_SECONDS = 60.0  # without an answer; a server that is started again is back within it
NO_TABLE = 1146


class Transactions:
    """Use it as a context manager; safe from several threads.

    Raises in each method:
        ServiceUnavailable: the server does not answer; questions that change nothing were asked again for a minute.
        AccessDenied: it refuses the login, the right, or its certificate is not the expected one.
        InputError: the database or a table does not exist.
    """

    def __init__(
        self,
        connection: MysqlConnection,
        *,
        retry_seconds: float = RETRY_SECONDS,
        answer_seconds: float | None = None,
    ) -> None:
        """After ``answer_seconds`` of silence a question fails; ``None`` waits as the connection says."""
        self.connection = connection
        self._retry_seconds = retry_seconds
        arguments = {**connection.arguments(), "autocommit": False}
        if answer_seconds is not None:
            arguments |= dict.fromkeys(("connect_timeout", "read_timeout", "write_timeout"), answer_seconds)
        self._engine = create_engine(
            "mysql+pymysql://", creator=lambda: pymysql.connect(**arguments), pool_pre_ping=True, pool_recycle=1800
        )

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_raised: object) -> None:
        self.close()

    def close(self) -> None:
        """Close all connections."""
        self._engine.dispose()

    def ping(self) -> None:
        """Ask for nothing, once; raises when the server does not answer."""
        with self.session("connect") as session:
            session.execute(text("SELECT 1"))

    @contextmanager
    def session(self, action: str) -> Iterator[Session]:
        """One transaction, committed at its end; ``action`` names it in messages."""
        try:
            with Session(self._engine, expire_on_commit=False) as session, session.begin():
                yield session
        except DBAPIError as error:
            raise self._meaning(error.orig or error, action) from error
        except (pymysql.err.Error, ConnectionError, TimeoutError) as error:
            raise self._meaning(error, action) from error

    def ask(self, action: str, question: Callable[[Session], Result]) -> Result:
        """What ``question`` finds, which changes nothing and so may be asked again."""
        tries = Retrying(
            wait=wait_random_exponential(multiplier=0.2, max=5.0),
            stop=stop_after_delay(self._retry_seconds),
            retry=retry_if_exception_type(TransientError),
            reraise=True,
        )
        for attempt in tries:
            with attempt, self.session(action) as session:
                return question(session)
        raise AssertionError  # never: the last attempt raises

    def _meaning(self, error: BaseException, action: str) -> Exception:
        if error.args[:1] == (NO_TABLE,):
            return InputError(
                f"MySQL at {self.connection.url}: cannot {action}: {error.args[-1]}. `embsearch images migrate` makes "
                f"the tables; else correct {PREFIX}IMAGES_MYSQL_URL."
            )
        cause = error if isinstance(error, Exception) else Exception(error)
        return meaning(cause, self.connection.url, f"{PREFIX}IMAGES_MYSQL", action)
