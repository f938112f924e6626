"""The gate of an index: it holds what was written."""

from __future__ import annotations

import logging
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from elasticsearch import Elasticsearch

from include.elastic.documents import Document
from include.elastic.errors import translated
from include.elastic.index_generations import IndexGenerations
from include.errors import GateFailed

log = logging.getLogger(__name__)

PAGE = 100
NAMED = 3  # differing documents that the message names


@dataclass(frozen=True)
class GateFigures:
    """What was found."""

    documents: int | None  # in the index; None when not asked for
    checked: int  # documents read back and found equal


def verify(
    client: Elasticsearch,
    index: str,
    documents: Sequence[Document],
    *,
    count: int | None = None,
    version: int | None = None,
) -> GateFigures:
    """Check that ``index`` holds ``count`` documents, when given, and each of ``documents`` as it is.

    With ``version``, a document that stands with a higher one is right too: a newer run wrote it.

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
        for document in _differing(client, index, documents[start : start + PAGE], version)
    ]
    if wrong:
        msg = (
            f"{len(wrong)} of {len(documents)} documents sampled from {index} are missing or differ from what was "
            f"written, for example {wrong[:NAMED]}. It is not promoted. Start a new run."
        )
        raise GateFailed(msg)
    return GateFigures(found, len(documents))


def verify_or_send_again(
    generations: IndexGenerations,
    generation: str,
    documents: Sequence[Document],
    *,
    count: int,
    send_all: Callable[[], object],
    version: int | None = None,
) -> GateFigures:
    """:func:`verify` a finalised generation; when something is missing, send all once more and look again.

    While an index is loaded, its translog reaches the disk every few seconds only, so a server that crashed may have
    forgotten documents that it had acknowledged. ``send_all`` writes every document again, which changes none that
    stands.

    Raises:
        GateFailed: it is still not what was written; the generation counts as unfinished from now on.
    """
    try:
        return verify(generations.client, generation, documents, count=count, version=version)
    except GateFailed as error:
        log.warning("%s Sending all documents again, in case the server crashed and forgot its last writes.", error)
    try:
        send_all()
        generations.finalise(generation)
        return verify(generations.client, generation, documents, count=count, version=version)
    except GateFailed:
        generations.refuse(generation)
        raise


def _differing(client: Elasticsearch, index: str, documents: Sequence[Document], version: int | None) -> list[Document]:
    with translated(client, f"read documents of {index}"):
        answers = client.mget(index=index, ids=[document.id for document in documents])["docs"]
    return [
        document
        for document, answer in zip(documents, answers, strict=True)
        if not answer.get("found") or (answer["_source"] != document.source and not _newer(answer, version))
    ]


def _newer(answer: Mapping[str, Any], version: int | None) -> bool:
    return version is not None and int(answer["_version"]) > version
