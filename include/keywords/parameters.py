"""Parameters of the keyword workflows and of their search."""

from __future__ import annotations

from pydantic import Field

from include import fields
from include.parameters import Parameters


class VectorIndexParameters(Parameters):
    """Keywords as vectors."""

    input: str = fields.input_file("keywords", "keyword")
    limit: int = fields.limit(0, "keywords")
    batch_size: int = fields.batch_size("Keywords")
    workers: int = fields.workers(8, "Embedding requests")
    model: str = fields.model()
    collection: str = fields.collection()
    qdrant_url: str = fields.qdrant_url()
    kserve_url: str = fields.kserve_url()
    min_recall: float = Field(
        0.98,
        title="Recall floor",
        description="recall@30 against exact search, below which nothing is served.",
        ge=0,
        le=1,
    )
    min_share: float = fields.min_share()
    text_column: str = fields.column("keyword", "keyword")
    id_column: str = fields.id_column()


class TextIndexParameters(Parameters):
    """Keywords as text."""

    input: str = fields.input_file("keywords", "keyword")
    limit: int = fields.limit(0, "keywords")
    workers: int = fields.workers(2, "Bulk requests")
    index: str = fields.index("keyword_index")
    es_url: str = fields.es_url()
    min_share: float = fields.min_share()
    text_column: str = fields.column("keyword", "keyword")
    id_column: str = fields.id_column()


class SearchParameters(Parameters):
    """A search of the keyword vectors."""

    top_k: int = fields.top_k(10)
    model: str = fields.model()
    collection: str = fields.collection()
    qdrant_url: str = fields.qdrant_url()
    kserve_url: str = fields.kserve_url()
