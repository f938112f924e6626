"""The tables of images, products and defects. What is there already stays: MySQL cannot undo half a migration."""

from __future__ import annotations

from typing import Any

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects.mysql import DATETIME

revision = "0001_image_tables"
down_revision = None

TABLE: dict[str, Any] = {"mysql_engine": "InnoDB", "mysql_default_charset": "utf8mb4", "if_not_exists": True}
INDEXES = {
    "idx_images_type": ("image_type", None),
    "idx_images_product": ("product_id", None),
    "idx_images_defect": ("defect_type_id", None),
    "idx_images_storage_url": ("storage_url", 255),
    "idx_images_file_path": ("file_path", 255),
}


def upgrade() -> None:
    """Make the tables."""
    op.create_table(
        "products",
        sa.Column("product_id", sa.BigInteger(), primary_key=True, autoincrement=True),
        sa.Column("product_code", sa.String(64), nullable=False, unique=True),
        sa.Column("product_name", sa.String(255), nullable=False),
        **TABLE,
    )
    op.create_table(
        "defect_types",
        sa.Column("defect_type_id", sa.BigInteger(), primary_key=True, autoincrement=True),
        sa.Column("defect_code", sa.String(64), nullable=False, unique=True),
        sa.Column("defect_name_ko", sa.String(255), nullable=False),
        **TABLE,
    )
    op.create_table(
        "images",
        sa.Column("image_id", sa.BigInteger(), primary_key=True, autoincrement=True),
        sa.Column("file_path", sa.String(1024)),
        sa.Column("storage_url", sa.String(1024)),
        sa.Column(
            "product_id", sa.BigInteger(), sa.ForeignKey("products.product_id", name="images_product"), nullable=False
        ),
        sa.Column(
            "defect_type_id", sa.BigInteger(), sa.ForeignKey("defect_types.defect_type_id", name="images_defect")
        ),
        sa.Column("image_type", sa.String(32), nullable=False),
        sa.Column("upload_date", DATETIME(fsp=3)),
        sa.Column("file_size", sa.BigInteger()),
        sa.Column("resolution", sa.String(32)),
        sa.Column("preprocessing_config", sa.Text()),
        sa.CheckConstraint("file_path IS NOT NULL OR storage_url IS NOT NULL", name="images_have_a_place"),
        **TABLE,
    )
    there = {index["name"] for index in sa.inspect(op.get_bind()).get_indexes("images")}
    for name, (column, length) in INDEXES.items():
        if name not in there:
            op.create_index(name, "images", [column], mysql_length=length)


def downgrade() -> None:
    """Drop the tables with all rows."""
    for name in ("images", "defect_types", "products"):
        op.drop_table(name)
