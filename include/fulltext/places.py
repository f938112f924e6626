"""What belongs to a collection of documents besides its index: files and the name of its vectors."""

from __future__ import annotations

from pathlib import Path

from include.settings import PROJECT_ROOT, Settings, get_settings

CHUNKS = "chunks.parquet"


def vectors_of(collection: str) -> str:
    """The collection of vectors that belongs to a collection of documents."""
    return f"{collection}_vectors"


def collection_folder(settings: Settings, collection: str) -> Path:
    """Where a collection's chunk file and notes are kept."""
    return settings.documents_dir / collection


def chunk_file(settings: Settings, collection: str) -> Path:
    """Where the chunk texts of a collection are."""
    return collection_folder(settings, collection) / CHUNKS


def collections_with_chunks(settings: Settings) -> list[str]:
    """The collections of documents whose chunk texts are there to make vectors of, by name."""
    return sorted(path.parent.name for path in settings.documents_dir.glob(f"*/{CHUNKS}"))


def vector_input(settings: Settings, collection: str) -> dict[str, str]:
    """Input and name of the vectors of a collection of documents, as parameters of a vector index."""
    path = chunk_file(settings, collection)
    return {
        "input": str(path.relative_to(PROJECT_ROOT) if path.is_relative_to(PROJECT_ROOT) else path),
        "collection": vectors_of(collection),
    }


def vector_defaults() -> dict[str, str]:
    """What the parameters of a vector index must say so that it is one of the documents' chunks."""
    settings = get_settings()
    own = vector_input(settings, settings.fulltext_collection)
    return {**own, "text_column": "content", "id_column": "chunk_number"}
