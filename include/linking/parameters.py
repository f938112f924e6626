"""Parameters of the linking, with the documented names and defaults."""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from include import fields
from include.parameters import Parameters


class LinkingParameters(Parameters):
    """What to link, to which keywords, into which index, and how."""

    products: str = fields.input_file("products", "product name")
    limit: int = fields.limit(100_000, "products")
    top_k: int = fields.top_k(30)
    batch_size: int = fields.batch_size("Products")
    workers: int = fields.workers(4, "Batches")
    mode: Literal["bulk", "realtime"] = Field(
        "bulk",
        title="Mode",
        description="bulk builds a new index beside the served one and switches when it is checked; "
        "realtime writes into the served index, and each batch is searchable as it lands.",
    )
    kserve_url: str = fields.kserve_url()
    qdrant_url: str = fields.qdrant_url()
    es_url: str = fields.es_url()
    model: str = fields.model()
    collection: str = fields.collection()
    index: str = fields.index("link_index")
    min_share: float = fields.min_share()
    keep_others: bool = Field(
        default=False,
        title="Keep others",
        description="Products that the served index has and the file has not: linked anew and kept; off: they leave "
        "with the old index. For mode bulk; a run that another DAG caused keeps them.",
    )
    text_column: str = fields.column("product_name", "product name")
