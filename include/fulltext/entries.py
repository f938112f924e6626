"""A document as its collection's index holds it."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from elastic_transport import TransportError
from elasticsearch import ApiError, Elasticsearch

from include.elastic.document_id import document_id
from include.elastic.documents import Document
from include.fulltext.analysis import ANALYSIS, Analysis
from include.fulltext.chunks import HASH_CHARACTERS, Chunk, Chunker, chunk_id
from include.fulltext.documents import SourceDocument
from include.fulltext.mapping import CHUNKING, INDEXED_TITLE
from include.fulltext.tokens import indexed_text

MAX_ENTRY_BYTES = 45_000_000  # half of what Elasticsearch takes in one request, whatever its heap is
EXPANSION = 5  # Elasticsearch counts on four times the size of an operation; the rest is for what goes on beside it
_LAYOUT = 1  # of an entry: a change makes all documents be written anew


class TooLarge(Exception):
    """The entry would be more than Elasticsearch takes; the message says what is too much."""


@dataclass(frozen=True)
class EntryMaker:
    """Makes the entries of one collection."""

    analysis: Analysis
    chunker: Chunker
    max_chunks: int
    max_bytes: int = MAX_ENTRY_BYTES

    def meta(self) -> dict[str, Any]:
        """What the index must remember of how its entries are made."""
        return {ANALYSIS: self.analysis.as_meta(), CHUNKING: self.chunker.chunking.as_meta()}

    def content_hash(self, document: SourceDocument) -> str:
        """Changes when the document's entry does."""
        facts = [_LAYOUT, document.title, document.text, dict(document.metadata), self.meta()]
        plain = json.dumps(facts, sort_keys=True, default=str)
        return hashlib.sha256(plain.encode("ascii")).hexdigest()[:HASH_CHARACTERS]

    def entry(self, document: SourceDocument, content_hash: str) -> Document:
        """The document with its chunks inside.

        Raises:
            TooLarge: there are too many chunks, or too many bytes.
        """
        chunks = self.chunker.chunks(document.text)
        if len(chunks) > self.max_chunks:
            msg = f"{len(chunks):,} chunks, allowed are {self.max_chunks:,}"
            raise TooLarge(msg)
        title = document.title[:INDEXED_TITLE]
        title_tokens = self._tokens(title)
        nested = [self._nested(document.id, chunk, title, title_tokens) for chunk in chunks]
        size = sum(_bytes_of(one) for one in nested)
        if size > self.max_bytes:
            msg = (
                f"{size:,} bytes with its tokens, Elasticsearch takes {self.max_bytes:,} at once: give it more heap, "
                "or cut the document in two"
            )
            raise TooLarge(msg)
        source = {
            "document_id": document.id,
            "title": document.title,
            "content_hash": content_hash,
            "metadata": dict(document.metadata),
            "chunks": nested,
        }
        return Document(document_id(document.id), source)

    def _nested(self, document: str, chunk: Chunk, title: str, title_tokens: str) -> dict[str, Any]:
        found: dict[str, Any] = {
            "chunk_id": chunk_id(document, chunk.number),
            "number": chunk.number,
            "start": chunk.start,
            "hash": chunk.hash,
            "title": title,
            "content": chunk.text,
        }
        if self.analysis.by_client:
            found |= {"title_tokens": title_tokens, "content_tokens": self._tokens(chunk.text)}
        return found

    def _tokens(self, text: str) -> str:
        return indexed_text(text, self.analysis.tokenizer) if self.analysis.by_client else ""


def largest_entry(client: Elasticsearch) -> int:
    """How many bytes of one document the cluster takes at once, at most."""
    try:
        stats = client.nodes.stats(metric="indexing_pressure", filter_path="nodes.*.indexing_pressure.memory")
    except (ApiError, TransportError):  # it needs a right that writing does not: what is too much is a dead letter then
        return MAX_ENTRY_BYTES
    nodes = stats.body.get("nodes", {}).values()
    limits = [int(node["indexing_pressure"]["memory"].get("limit_in_bytes", 0)) for node in nodes]
    return min([MAX_ENTRY_BYTES, *(limit // EXPANSION for limit in limits if limit > 0)])


def as_kept(entry: Document) -> Document:
    """The entry as it is read back: without the tokens, which are indexed only."""
    chunks: Sequence[Mapping[str, Any]] = entry.source["chunks"]
    kept = [{key: value for key, value in one.items() if not key.endswith("_tokens")} for one in chunks]
    return Document(entry.id, {**entry.source, "chunks": kept})


def _bytes_of(nested: Mapping[str, Any]) -> int:
    return sum(len(value.encode("utf-8")) for value in nested.values() if isinstance(value, str)) + 100
