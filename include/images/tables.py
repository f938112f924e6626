"""The tables of images, as SQLAlchemy models; ``migrations`` makes them."""

from __future__ import annotations

from datetime import datetime

from sqlalchemy import BigInteger, CheckConstraint, ForeignKey, Index, String, Text
from sqlalchemy.dialects.mysql import DATETIME
from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column

TEXT = {"mysql_engine": "InnoDB", "mysql_default_charset": "utf8mb4"}


class Base(DeclarativeBase):
    """Base of all tables."""


class Product(Base):
    """What is photographed."""

    __tablename__ = "products"
    __table_args__ = TEXT

    product_id: Mapped[int] = mapped_column(BigInteger, primary_key=True, autoincrement=True)
    product_code: Mapped[str] = mapped_column(String(64), unique=True)
    product_name: Mapped[str] = mapped_column(String(255))


class DefectType(Base):
    """What may be wrong with it."""

    __tablename__ = "defect_types"
    __table_args__ = TEXT

    defect_type_id: Mapped[int] = mapped_column(BigInteger, primary_key=True, autoincrement=True)
    defect_code: Mapped[str] = mapped_column(String(64), unique=True)
    defect_name_ko: Mapped[str] = mapped_column(String(255))


class Image(Base):
    """One image: a local file, an object in a store, or both."""

    __tablename__ = "images"
    __table_args__ = (
        # The secondary indexes of InnoDB end with the primary key: one type by ascending id is one range of the first.
        Index("idx_images_type", "image_type"),
        Index("idx_images_product", "product_id"),
        Index("idx_images_defect", "defect_type_id"),
        # Whether a temporary image's object is another's, too, is looked up before it is deleted.
        Index("idx_images_storage_url", "storage_url", mysql_length=255),
        Index("idx_images_file_path", "file_path", mysql_length=255),
        CheckConstraint("file_path IS NOT NULL OR storage_url IS NOT NULL", name="images_have_a_place"),
        TEXT,
    )

    image_id: Mapped[int] = mapped_column(BigInteger, primary_key=True, autoincrement=True)
    file_path: Mapped[str | None] = mapped_column(String(1024))
    storage_url: Mapped[str | None] = mapped_column(String(1024))
    product_id: Mapped[int] = mapped_column(ForeignKey("products.product_id", name="images_product"))
    defect_type_id: Mapped[int | None] = mapped_column(ForeignKey("defect_types.defect_type_id", name="images_defect"))
    image_type: Mapped[str] = mapped_column(String(32))  # normal, defect, query_temp
    upload_date: Mapped[datetime | None] = mapped_column(DATETIME(fsp=3))  # UTC
    file_size: Mapped[int | None] = mapped_column(BigInteger)  # bytes
    resolution: Mapped[str | None] = mapped_column(String(32))  # such as 256x256
    preprocessing_config: Mapped[str | None] = mapped_column(Text)
