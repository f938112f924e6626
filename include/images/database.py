"""The database of images: read in pages by ascending id, temporary images registered and deleted."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from typing import Any, Self, TypeVar

import pymysql
from sqlalchemy import Row, Select, create_engine, delete, func, select, text
from sqlalchemy.exc import DBAPIError
from sqlalchemy.orm import Session
from tenacity import Retrying, retry_if_exception_type, stop_after_delay, wait_random_exponential

from include.errors import InputError, TransientError
from include.images.parameters import QUERY_TEMP
from include.images.row import FIELDS, NO_DEFECT, ImageRow
from include.images.tables import DefectType, Image, Product
from include.mysql.connection import MysqlConnection
from include.mysql.faults import meaning
from include.objects.locations import Location
from include.settings import PREFIX, Settings

log = logging.getLogger(__name__)
Result = TypeVar("Result")

RETRY_SECONDS = 60.0  # without an answer; a server that is started again is back within it
NO_TABLE = 1146


class NotRegistered(InputError):
    """What was asked for cannot be a temporary image."""


@dataclass(frozen=True)
class TemporaryImage:
    """A row that lives for a day."""

    image_id: int
    storage_url: str | None
    local_path: str | None


class ImageDatabase:
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
        page_rows: int = 2000,
        extra: Sequence[str] = (),
        retry_seconds: float = RETRY_SECONDS,
        answer_seconds: float | None = None,
    ) -> None:
        """``extra`` are further columns that a row brings; after ``answer_seconds`` of silence a question fails."""
        self.connection = connection
        self._page_rows, self._extra, self._retry_seconds = page_rows, tuple(extra), retry_seconds
        arguments = {**connection.arguments(), "autocommit": False}
        if answer_seconds is not None:
            arguments |= dict.fromkeys(("connect_timeout", "read_timeout", "write_timeout"), answer_seconds)
        self._engine = create_engine(
            "mysql+pymysql://", creator=lambda: pymysql.connect(**arguments), pool_pre_ping=True, pool_recycle=1800
        )

    @classmethod
    def from_settings(
        cls,
        settings: Settings,
        *,
        owner: bool = False,
        retry_seconds: float = RETRY_SECONDS,
        answer_seconds: float | None = None,
    ) -> Self:
        """The database of the settings; ``owner`` asks as the one who makes tables and test data."""
        connection = MysqlConnection.images(settings)
        return cls(
            connection.owned(settings) if owner else connection,
            page_rows=settings.images_page_rows,
            extra=[name for name in settings.images_metadata_columns.split(",") if name],
            retry_seconds=retry_seconds,
            answer_seconds=answer_seconds,
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

    def count(self, image_type: str) -> int:
        """How many images of a type there are."""
        question = select(func.count()).select_from(Image).where(Image.image_type == image_type)
        return self._ask("count images", lambda session: int(session.execute(question).scalar_one()))

    def pages(self, image_type: str) -> Iterator[list[ImageRow]]:
        """All images of a type by ascending id, with their product and defect, in one joined question a page."""
        last = -1
        while True:
            question = self._joined().where(Image.image_type == image_type, Image.image_id > last)
            page = question.order_by(Image.image_id).limit(self._page_rows)
            found = self._ask("read images", lambda session: session.execute(page).all())  # noqa: B023 — asked at once
            if found:
                yield [self._row(each) for each in found]
                last = int(found[-1].image_id)
            if len(found) < self._page_rows:
                return

    def register(
        self, storage_url: str, product_code: str, defect_code: str | None = None, *, image_type: str = QUERY_TEMP
    ) -> int:
        """Record a temporary image, unless it is; return its id.

        Raises:
            NotRegistered: the type is not ``query_temp``, the URL is that of an image that is to stay, or there is no
                such product or defect.
        """
        if image_type != QUERY_TEMP:
            msg = f"image_type is {image_type!r}; only {QUERY_TEMP} can be registered here."
            raise NotRegistered(msg)
        place = Location.of(storage_url)
        with self.session("register an image") as session:
            if session.scalar(_used(place).where(Image.image_type != QUERY_TEMP).limit(1)) is not None:
                raise NotRegistered(f"{place.url} is an image of the tables: it would be deleted after a day.")
            product = session.scalar(select(Product.product_id).where(Product.product_code == product_code))
            if product is None:
                raise NotRegistered(f"There is no product {product_code!r}.")
            defect = None
            if defect_code not in (None, "", NO_DEFECT[0]):
                defect = session.scalar(select(DefectType.defect_type_id).where(DefectType.defect_code == defect_code))
                if defect is None:
                    raise NotRegistered(f"There is no defect {defect_code!r}.")
            same = {
                "storage_url": place.url, "product_id": product, "defect_type_id": defect, "image_type": image_type,
            }  # fmt: skip
            image = session.scalar(select(Image).filter_by(**same).where(Image.upload_date.is_not(None)).limit(1))
            if image is None:
                image = Image(**same, upload_date=datetime.now(UTC).replace(tzinfo=None))
                session.add(image)
                session.flush()
            return int(image.image_id)

    def registered_at(self, image_id: int) -> datetime:
        """When an image was recorded."""
        question = select(Image.upload_date).where(Image.image_id == image_id)
        found = self._ask("look for an image", lambda session: session.execute(question).scalar_one())
        return found.replace(tzinfo=UTC) if found else datetime.now(UTC)

    def temporary(self, before: datetime, *, after_id: int = -1, limit: int = 500) -> list[TemporaryImage]:
        """Temporary images that were registered before a moment, by ascending id; those without a time count as old."""
        moment = before.astimezone(UTC).replace(tzinfo=None)
        question = (
            select(Image.image_id, Image.storage_url, Image.file_path)
            .where(Image.image_type == QUERY_TEMP, Image.image_id > after_id)
            .where((Image.upload_date < moment) | Image.upload_date.is_(None))
            .order_by(Image.image_id)
            .limit(limit)
        )
        found = self._ask("read temporary images", lambda session: session.execute(question).all())
        return [TemporaryImage(int(row[0]), row[1], row[2]) for row in found]

    def is_shared(self, address: str, image_id: int) -> bool:
        """Whether another row than ``image_id`` points to the same file or object."""
        question = _used(Location.of(address)).where(Image.image_id != image_id).limit(1)
        return self._ask("look for a file in use", lambda session: session.scalar(question)) is not None

    def delete_temporary(self, image_id: int) -> bool:
        """Delete the row of a temporary image; whether there was one."""
        statement = delete(Image).where(Image.image_id == image_id, Image.image_type == QUERY_TEMP)
        with self.session("delete an image") as session:
            return bool(session.execute(statement).rowcount)  # type: ignore[attr-defined]  # it changes rows

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

    def _meaning(self, error: BaseException, action: str) -> Exception:
        if error.args[:1] == (NO_TABLE,):
            return InputError(
                f"MySQL at {self.connection.url}: cannot {action}: {error.args[-1]}. `embsearch images migrate` makes "
                f"the tables; else correct {PREFIX}IMAGES_MYSQL_URL."
            )
        cause = error if isinstance(error, Exception) else Exception(error)
        return meaning(cause, self.connection.url, f"{PREFIX}IMAGES_MYSQL", action)

    def _ask(self, action: str, question: Callable[[Session], Result]) -> Result:
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

    def _joined(self) -> Select[Any]:
        return (
            select(
                Image.image_id, Image.file_path, Image.storage_url, Product.product_code, Product.product_name,
                func.coalesce(DefectType.defect_code, NO_DEFECT[0]).label("defect_code"),
                func.coalesce(DefectType.defect_name_ko, NO_DEFECT[1]).label("defect_name"),
                Image.image_type, *(getattr(Image, name) for name in self._extra),
            )
            .outerjoin(Product, Product.product_id == Image.product_id)  # so that none is lost without a word
            .outerjoin(DefectType, DefectType.defect_type_id == Image.defect_type_id)
        )  # fmt: skip

    def _row(self, found: Row[Any]) -> ImageRow:
        values: list[Any] = list(found)
        extra = {name: _plain(value) for name, value in zip(self._extra, values[8:], strict=True)}
        return ImageRow(**dict(zip(FIELDS, values, strict=False)), extra=extra)


def _used(place: Location) -> Select[Any]:
    """The rows that point to ``place``, by whichever of its spellings, and through whichever link to its folder."""
    written = {place.url}
    if place.scheme == "file":
        real = replace(place, key=str(place.path.parent.resolve() / place.path.name))
        written |= {text for each in (place, real) for text in (each.url, each.key, f"file://{each.key}")}
    return select(Image.image_id).where(Image.storage_url.in_(written) | Image.file_path.in_(written))


def _plain(value: Any) -> Any:
    """A column's value as JSON has it; times are UTC."""
    return value.replace(tzinfo=UTC).isoformat() if isinstance(value, datetime) else value
