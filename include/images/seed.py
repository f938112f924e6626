"""Test data: drawn pictures in a folder or a bucket, and their rows in the tables."""

from __future__ import annotations

import logging
from collections.abc import Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import datetime, timedelta
from functools import partial
from itertools import islice
from pathlib import Path
from typing import Any

from sqlalchemy import insert, select
from sqlalchemy.orm import Session

from include.images.database import ImageDatabase
from include.images.defects import DEFECTS
from include.images.generator import SIDE, Drawing, drawings
from include.images.schema import migrate
from include.images.tables import DefectType, Image, Product
from include.images.textures import PRODUCTS
from include.objects.locations import Location
from include.objects.store import ObjectStore
from include.settings import PROJECT_ROOT, Settings

log = logging.getLogger(__name__)

AT_ONCE = 500
WRITERS = 8
BEGAN = datetime(2026, 1, 1)  # noqa: DTZ001 — UTC, as the column has it


def seed(settings: Settings, *, images: int, target: str = "", seed_: int = 0) -> dict[str, int]:
    """Draw ``images`` pictures into ``target``, a folder or an S3 URL, and record them; what is there already stays.

    Without a target they go to the first of the allowed folders. The same numbers give the same pictures, so this can
    be interrupted and run again.

    Returns:
        How many pictures were drawn, and how many rows came.

    Raises:
        InputError: ``target`` is outside of what the settings allow.
        ServiceUnavailable: the database or the store does not answer.
    """
    place = Location.of(target or str(PROJECT_ROOT / settings.images_roots.split(",", 1)[0].strip()))
    store = ObjectStore.from_settings(settings)
    store.allowed.check(Location(place.scheme, place.bucket, f"{place.key.rstrip('/')}/picture.jpg"))
    migrate(settings)
    drawn = rows = 0
    with ImageDatabase.from_settings(settings, owner=True) as database, ThreadPoolExecutor(WRITERS) as pool:
        products, defects = _codes(database)
        for part in _parts(drawings(images, seed=seed_)):
            sizes = list(pool.map(partial(_write, place, store), part))
            drawn += sum(new for _, new in sizes)
            values = [
                _values(drawing, place, size, products, defects) for drawing, (size, _) in zip(part, sizes, strict=True)
            ]
            rows += _insert(database, values)
            log.info("%d pictures drawn, %d rows written", drawn, rows)
    return {"images": images, "drawn": drawn, "rows": rows}


def address_of(drawing: Drawing, place: Location) -> str:
    """Where a picture lies below ``place``: a path or a URL."""
    folder = place.key if place.scheme == "file" else place.url
    return f"{folder.rstrip('/')}/{drawing.name}"


def _write(place: Location, store: ObjectStore, drawing: Drawing) -> tuple[int, bool]:
    """The size of the picture, and whether it had to be drawn."""
    address = address_of(drawing, place)
    if place.scheme == "file" and Path(address).is_file():
        return Path(address).stat().st_size, False
    data = drawing.draw()
    store.write(address, data, content_type="image/jpeg")
    return len(data), True


def _values(
    drawing: Drawing, place: Location, size: int, products: dict[str, int], defects: dict[str, int]
) -> dict[str, Any]:
    address = address_of(drawing, place)
    return {
        "file_path": address if place.scheme == "file" else None,
        "storage_url": address if place.scheme == "s3" else None,
        "product_id": products[drawing.product.code],
        "defect_type_id": defects[drawing.defect.code] if drawing.defect else None,
        "image_type": drawing.image_type,
        "upload_date": BEGAN + timedelta(minutes=drawing.number),
        "file_size": size,
        "resolution": f"{SIDE}x{SIDE}",
        "preprocessing_config": None,
    }


def _insert(database: ImageDatabase, values: list[dict[str, Any]]) -> int:
    """Insert the rows whose file or object has none yet; return how many."""
    places = [value["file_path"] or value["storage_url"] for value in values]
    column = Image.file_path if values[0]["file_path"] else Image.storage_url
    with database.session("write images") as session:
        there = set(session.scalars(select(column).where(column.in_(places))))
        new = [value for value, place in zip(values, places, strict=True) if place not in there]
        if new:
            session.execute(insert(Image), new)
    return len(new)


def _codes(database: ImageDatabase) -> tuple[dict[str, int], dict[str, int]]:
    """Ids of the products and defects by code; what is missing is made."""
    with database.session("write products") as session:
        known = set(session.scalars(select(Product.product_code)))
        session.add_all(Product(product_code=p.code, product_name=p.name) for p in PRODUCTS if p.code not in known)
        known = set(session.scalars(select(DefectType.defect_code)))
        session.add_all(DefectType(defect_code=d.code, defect_name_ko=d.name) for d in DEFECTS if d.code not in known)
        session.flush()
        return _by_code(session)


def _by_code(session: Session) -> tuple[dict[str, int], dict[str, int]]:
    products = session.execute(select(Product.product_code, Product.product_id))
    defects = session.execute(select(DefectType.defect_code, DefectType.defect_type_id))
    return {row[0]: row[1] for row in products}, {row[0]: row[1] for row in defects}


def _parts(every: Iterable[Drawing]) -> Iterator[list[Drawing]]:
    source = iter(every)
    while part := list(islice(source, AT_ONCE)):
        yield part
