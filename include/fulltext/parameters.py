"""Parameters of the indexing, the deletion and the search of documents."""

from __future__ import annotations

from typing import Any, Literal

from pydantic import Field

from include import fields
from include.parameters import Parameters
from include.settings import get_settings

ALIASES = f"^{fields.ALIAS[1:-1]}( *, *{fields.ALIAS[1:-1]})*$"


def _default(name: str, title: str, description: str, **bounds: Any) -> Any:
    """A field whose default is the setting ``name``."""
    return Field(default_factory=lambda: getattr(get_settings(), name), title=title, description=description, **bounds)


def collection() -> Any:
    """The alias of an index of documents."""
    help_text = f"Name of the documents that readers use: {fields.ALIAS_HELP}."
    return _default("fulltext_collection", "Collection", help_text, min_length=1, max_length=90, pattern=fields.ALIAS)


class DocumentIndexParameters(Parameters):
    """Documents as searchable text."""

    input: str = _default(
        "documents",
        "Documents",
        "A folder of .txt, .md, .html, .json and .jsonl files, or one such file, or Parquet. A relative path starts at "
        "the project's root.",
        min_length=1,
        max_length=1000,
    )
    collection: str = collection()
    language: Literal["any", "ja", "ko", "zh", "en"] = _default(
        "fulltext_language", "Language", "Of the documents; any: several. It decides which plugin is looked for."
    )
    analysis: Literal["auto", "ik", "kuromoji", "nori", "smartcn", "cjk", "tokens", "standard"] = _default(
        "fulltext_analysis",
        "Analysis",
        "How texts are taken apart. auto takes what the served index has, for a new one the best that the cluster has.",
    )
    chunk_size: int = _default("fulltext_chunk_size", "Chunk size", "Tokens or characters.", ge=20, le=8192)
    chunk_overlap: int = _default(
        "fulltext_chunk_overlap", "Overlap", "Tokens or characters that a chunk shares with the next.", ge=0, le=4096
    )
    chunk_unit: Literal["auto", "tokens", "characters"] = _default(
        "fulltext_chunk_unit",
        "Unit",
        "What is counted: tokens of the model, characters. auto goes on as the served index does; for a new one it "
        "takes tokens where the model is deployed.",
    )
    model: str = fields.model()
    rebuild: bool = Field(
        default=False,
        title="Build anew",
        description="Fill a new index beside the served one with this input alone, check it, serve it.",
    )
    delete_missing: bool = Field(
        default=False, title="Delete others", description="Delete the documents that the input has not."
    )
    min_share: float = fields.min_share()
    workers: int = fields.workers(2, "Bulk requests")
    es_url: str = fields.es_url()
    id_column: str = fields.column("id", "id")
    title_column: str = fields.column("title", "title")
    text_column: str = fields.column("text", "text")
    metadata_column: str = fields.column("metadata", "metadata (a struct, a map or JSON)")


class DocumentDeleteParameters(Parameters):
    """Documents that are to be found no more."""

    collection: str = collection()
    es_url: str = fields.es_url()


class DocumentSearchParameters(Parameters):
    """A search of documents."""

    top_k: int = Field(10, title="Results", description="How many to give, best first.", ge=1, le=100)
    mode: Literal["text", "vector", "hybrid"] = Field(
        "hybrid", title="Mode", description="By words, by meaning, or both merged by reciprocal ranks."
    )
    collection: str = _default(
        "fulltext_collection",
        "Collections",
        "Names of the documents, several by commas.",
        min_length=1,
        max_length=1000,
        pattern=ALIASES,
    )
    chat_id: str = Field("", title="Chat", description="Only documents of this metadata.chat_id.", max_length=1000)
    faults: Literal["strict", "soft"] = _default(
        "fulltext_faults", "Faults", "soft: a search that fails finds nothing and says so in the log; strict: an error."
    )
    model: str = fields.model()
    qdrant_url: str = fields.qdrant_url()
    kserve_url: str = fields.kserve_url()
    es_url: str = fields.es_url()


class SearchQualityParameters(Parameters):
    """How good the search of documents is."""

    relevance: str = _default(
        "fulltext_relevance",
        "Relevance set",
        "JSONL with query, language and relevant (document id: grade) in each line. A relative path starts at the "
        "project's root.",
        min_length=1,
        max_length=1000,
    )
    collection: str = collection()
    modes: Literal["auto", "text", "all"] = Field(
        "auto", title="Modes", description="auto: text, and with vectors where the collection has them."
    )
    max_drop: float = Field(
        0.02,
        title="Largest drop",
        description="Below the best that a figure was since a drop was accepted.",
        ge=0,
        le=1,
    )
    min_ndcg: float = Field(0, title="Floor", description="Of nDCG@10 of all queries, in each mode.", ge=0, le=1)
    accept: bool = Field(default=False, title="Accept", description="Compare with the figures of this run from now on.")
    model: str = fields.model()
    qdrant_url: str = fields.qdrant_url()
    kserve_url: str = fields.kserve_url()
    es_url: str = fields.es_url()
