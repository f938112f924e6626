"""What belongs to a collection of documents besides its index: files and the name of its vectors."""

from __future__ import annotations

from pathlib import Path

from include.settings import PROJECT_ROOT, Settings, get_settings


def vectors_of(collection: str) -> str:
    """The collection of vectors that belongs to a collection of documents."""
    return f"{collection}_vectors"


def collection_folder(settings: Settings, collection: str) -> Path:
    """Where a collection's chunk file and notes are kept."""
    return settings.state_dir / "documents" / collection


def chunk_file(settings: Settings, collection: str) -> Path:
    """Where the chunk texts of a collection are."""
    return collection_folder(settings, collection) / "chunks.parquet"


def vector_defaults() -> dict[str, str]:
    """What the parameters of a vector index must say so that it is one of the documents' chunks."""
    settings = get_settings()
    collection = settings.fulltext_collection
    path = chunk_file(settings, collection)
    return {
        "input": str(path.relative_to(PROJECT_ROOT) if path.is_relative_to(PROJECT_ROOT) else path),
        "collection": vectors_of(collection),
        "text_column": "content",
        "id_column": "chunk_number",
    }
