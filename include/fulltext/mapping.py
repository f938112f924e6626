"""The index of a collection: one Elasticsearch document for each document, its chunks nested inside.

Elasticsearch writes a document and what is nested in it as one block, so a new version of a document replaces all of
its chunks in one step that no reader and no crash can split. The title stands in each chunk, so that a query may find
some of its words there and others in the text. Tokens that the client makes are indexed and not kept.
"""

from __future__ import annotations

from typing import Any

from include.fulltext.analysis import Analysis

HELD = "documents"  # the kind of the index in _meta
CHUNKING = "chunking"  # the key of _meta
KEPT_OUT = ("chunks.title_tokens", "chunks.content_tokens")  # of _source
RAW_CHARACTERS = 8191  # in any script below Lucene's 32,766 bytes
INDEXED_TITLE = 200  # characters of a title that stand in each chunk


def document_mapping(analysis: Analysis) -> dict[str, Any]:
    """The mapping of an index that takes texts apart by ``analysis``."""
    keyword = {"type": "keyword", "ignore_above": RAW_CHARACTERS}
    return {
        "dynamic": "strict",
        "_source": {"excludes": list(KEPT_OUT)},
        "properties": {
            "document_id": keyword,
            "title": keyword,
            "content_hash": {"type": "keyword"},
            "metadata": {
                "type": "object",
                "dynamic": False,  # other keys are kept and given back, and cannot be filtered by
                "properties": {"chat_id": keyword, "source": keyword},
            },
            "chunks": {
                "type": "nested",
                "dynamic": "strict",
                "properties": {
                    "chunk_id": keyword,
                    "number": {"type": "integer"},
                    "start": {"type": "integer"},
                    "hash": {"type": "keyword"},
                    **_texts(analysis),
                },
            },
        },
    }


def _texts(analysis: Analysis) -> dict[str, Any]:
    if not analysis.by_client:
        field = {
            "type": "text",
            "analyzer": analysis.index_analyzer,
            "search_analyzer": analysis.search_analyzer,
        }
        return {"title": field, "content": field}
    shown = {"type": "text", "index": False}
    searched = {"type": "text", "analyzer": analysis.index_analyzer}
    return {"title": shown, "content": shown, "title_tokens": searched, "content_tokens": searched}


def index_limits(*, max_chunks: int) -> dict[str, Any]:
    """Settings of the index besides shards and replicas."""
    return {"mapping": {"nested_objects": {"limit": max_chunks}}}
