"""The gate of an index: it holds what was written."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from elasticsearch import Elasticsearch

from include.elastic.documents import Document
from include.elastic.errors import translated
from include.errors import GateFailed

PAGE = 100
NAMED = 3  # differing documents that the message names


@dataclass(frozen=True)
class GateFigures:
    """What was found."""

    documents: int | None  # in the index; None when not asked for
    checked: int  # documents read back and found equal


def verify(
    client: Elasticsearch, index: str, documents: Sequence[Document], *, count: int | None = None
) -> GateFigures:
    """Check that ``index`` holds ``count`` documents, when given, and each of ``documents`` as it is.

    Raises:
        GateFailed: the count differs, or a document is missing or another one.
    """
    found = None
    if count is not None:
        with translated(client, f"count index {index}"):
            client.indices.refresh(index=index)
            found = int(client.count(index=index)["count"])
        if found != count:
            msg = f"{index} holds {found:,} documents, written were {count:,}. It is not promoted. Start a new run."
            raise GateFailed(msg)
    wrong = [
        document.id
        for start in range(0, len(documents), PAGE)
        for document in _differing(client, index, documents[start : start + PAGE])
    ]
    if wrong:
        msg = (
            f"{len(wrong)} of {len(documents)} documents sampled from {index} are missing or differ from what was "
            f"written, for example {wrong[:NAMED]}. It is not promoted. Start a new run."
        )
        raise GateFailed(msg)
    return GateFigures(found, len(documents))


def _differing(client: Elasticsearch, index: str, documents: Sequence[Document]) -> list[Document]:
    with translated(client, f"read documents of {index}"):
        answers = client.mget(index=index, ids=[document.id for document in documents])["docs"]
    return [
        document
        for document, answer in zip(documents, answers, strict=True)
        if not answer.get("found") or answer["_source"] != document.source
    ]
