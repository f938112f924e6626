"""One image as the jobs know it, whether it comes from the database or from a file's name."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

# Of metadata.json and of a search, in this order. Further columns of the table come behind them.
FIELDS = (
    "image_id", "local_path", "storage_url", "product_code", "product_name", "defect_code", "defect_name", "image_type",
)  # fmt: skip
EXTRA = ("upload_date", "file_size", "resolution", "preprocessing_config")
NO_DEFECT = ("normal", "정상")  # code and name where an image has no defect


@dataclass(frozen=True)
class ImageRow:
    """An image, its product and its defect."""

    image_id: int
    local_path: str | None
    storage_url: str | None
    product_code: str | None  # None where there is no such product: such an image is never indexed
    product_name: str | None
    defect_code: str
    defect_name: str
    image_type: str
    extra: dict[str, Any] = field(default_factory=dict)  # the further columns that the settings ask for

    def metadata(self) -> dict[str, Any]:
        """As it stands in ``metadata.json``."""
        return {**{name: getattr(self, name) for name in FIELDS}, **self.extra}
