"""The database of images: read in pages by ascending id, temporary images registered and deleted."""

from __future__ import annotations

import hashlib
from collections.abc import Collection, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from typing import Any, Self

from sqlalchemy import Row, Select, delete, func, select, text

from include.errors import InputError
from include.images.parameters import QUERY_TEMP
from include.images.row import FIELDS, NO_DEFECT, ImageRow
from include.images.tables import DefectType, Image, Product
from include.images.transactions import RETRY_SECONDS, Transactions
from include.mysql.connection import MysqlConnection
from include.objects.locations import Location
from include.settings import Settings

AGAIN = timedelta(minutes=1)  # in which a registration that comes again is that of a caller who was not answered


class NotRegistered(InputError):
    """What was asked for cannot be a temporary image."""


@dataclass(frozen=True)
class TemporaryImage:
    """A row that lives for a day."""

    image_id: int
    storage_url: str | None
    local_path: str | None

    @property
    def addresses(self) -> list[str]:
        """Of its object, its file, or both."""
        return [address for address in (self.storage_url, self.local_path) if address]


class ImageDatabase(Transactions):
    """What is asked of the tables; see :class:`Transactions` for what each method raises."""

    def __init__(
        self, connection: MysqlConnection, *, page_rows: int = 2000, extra: Sequence[str] = (), **more: Any
    ) -> None:
        """``extra`` are further columns that a row brings; ``more`` is for :class:`Transactions`."""
        super().__init__(connection, **more)
        self._page_rows, self._extra = page_rows, tuple(extra)

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

    def count(self, image_type: str) -> int:
        """How many images of a type there are."""
        question = select(func.count()).select_from(Image).where(Image.image_type == image_type)
        return self.ask("count images", lambda session: int(session.execute(question).scalar_one()))

    def pages(self, image_type: str) -> Iterator[list[ImageRow]]:
        """All images of a type by ascending id, with their product and defect, in one joined question a page."""
        last = -1
        while True:
            question = self._joined().where(Image.image_type == image_type, Image.image_id > last)
            page = question.order_by(Image.image_id).limit(self._page_rows)
            found = self.ask("read images", lambda session: session.execute(page).all())  # noqa: B023 — asked at once
            if found:
                yield [self._row(each) for each in found]
                last = int(found[-1].image_id)
            if len(found) < self._page_rows:
                return

    def register(
        self, storage_url: str, product_code: str, defect_code: str | None = None, *, image_type: str = QUERY_TEMP
    ) -> int:
        """Record a temporary image, unless that was done within the last minute; return its id.

        One that was recorded before gets another row, which lives for a day from now and keeps the object for as long:
        who may search may add rows, and change none. Call it within :meth:`alone_with`, so that the object that it is
        about is not being deleted.

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
            now = _column(datetime.now(UTC))
            image = session.scalar(select(Image).filter_by(**same).where(Image.upload_date > now - AGAIN).limit(1))
            if image is None:
                image = Image(**same, upload_date=now)
                session.add(image)
                session.flush()
            return int(image.image_id)

    def registered_at(self, image_id: int) -> datetime:
        """When an image was recorded."""
        question = select(Image.upload_date).where(Image.image_id == image_id)
        found = self.ask("look for an image", lambda session: session.execute(question).scalar_one())
        return found.replace(tzinfo=UTC) if found else datetime.now(UTC)

    def temporary(self, before: datetime, *, after_id: int = -1, limit: int = 500) -> list[TemporaryImage]:
        """Temporary images that were registered before a moment, by ascending id; those without a time count as old."""
        columns = (Image.image_id, Image.storage_url, Image.file_path)
        question = _old(before, *columns).where(Image.image_id > after_id).order_by(Image.image_id).limit(limit)
        found = self.ask("read temporary images", lambda session: session.execute(question).all())
        return [TemporaryImage(int(row[0]), row[1], row[2]) for row in found]

    def is_old(self, image_id: int, before: datetime) -> bool:
        """Whether an image is still one of :meth:`temporary`."""
        question = _old(before, Image.image_id).where(Image.image_id == image_id)
        return self.ask("look for an image", lambda session: session.scalar(question)) is not None

    @contextmanager
    def alone_with(self, addresses: Collection[str], *, wait_seconds: float = 0) -> Iterator[bool]:
        """Whether nobody else registers or deletes what lies at ``addresses``, nor will until this ends.

        The locks are the server's own, by name: they need no right, and end with the connection.

        Raises:
            InputError: an address cannot be understood.
        """
        names = sorted({_lock_of(Location.of(address), self.connection.database) for address in addresses})
        held: list[str] = []
        with self.session("lock an image") as session:
            connection = session.connection()
            try:
                for name in names:
                    if not connection.execute(text("SELECT GET_LOCK(:n, :s)"), {"n": name, "s": wait_seconds}).scalar():
                        break
                    held.append(name)
                yield held == names
            finally:
                for name in held:
                    connection.execute(text("SELECT RELEASE_LOCK(:n)"), {"n": name})

    def is_shared(self, address: str, image_id: int) -> bool:
        """Whether another row than ``image_id`` points to the same file or object."""
        question = _used(Location.of(address)).where(Image.image_id != image_id).limit(1)
        return self.ask("look for a file in use", lambda session: session.scalar(question)) is not None

    def delete_temporary(self, image_id: int) -> bool:
        """Delete the row of a temporary image; whether there was one."""
        statement = delete(Image).where(Image.image_id == image_id, Image.image_type == QUERY_TEMP)
        with self.session("delete an image") as session:
            return bool(session.execute(statement).rowcount)  # type: ignore[attr-defined]  # it changes rows

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


def _old(before: datetime, *columns: Any) -> Select[Any]:
    """Those temporary images that were registered before a moment, or nobody knows when."""
    old = (Image.upload_date < _column(before)) | Image.upload_date.is_(None)
    return select(*columns).where(Image.image_type == QUERY_TEMP, old)


def _used(place: Location) -> Select[Any]:
    """The rows that point to ``place``, by whichever of its spellings, and through whichever link to its folder."""
    written = {place.url}
    if place.scheme == "file":
        both = (place, _real(place))
        written |= {spelt for each in both for spelt in (each.url, each.key, f"file://{each.key}")}
    return select(Image.image_id).where(Image.storage_url.in_(written) | Image.file_path.in_(written))


def _real(place: Location) -> Location:
    """The same without links to its folder."""
    if place.scheme != "file":
        return place
    return replace(place, key=str(place.path.parent.resolve() / place.path.name))


def _lock_of(place: Location, database: str) -> str:
    """A name of at most 64 characters, which is what MySQL takes."""
    return "embsearch_image." + hashlib.sha256(f"{database}\0{_real(place).url}".encode()).hexdigest()[:40]


def _column(moment: datetime) -> datetime:
    """As the tables have it."""
    return moment.astimezone(UTC).replace(tzinfo=None)


def _plain(value: Any) -> Any:
    """A column's value as JSON has it; times are UTC."""
    return value.replace(tzinfo=UTC).isoformat() if isinstance(value, datetime) else value
