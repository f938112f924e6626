"""All chunk texts of the served documents as Parquet, each text once: what the vectors of a collection are made of."""

from __future__ import annotations

import hashlib
import json
import logging
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
from elasticsearch import Elasticsearch

from include.elastic.connection import EsConnection, connect
from include.elastic.index_generations import IndexGenerations
from include.elastic.paging import every
from include.errors import InputError
from include.fulltext.mapping import HELD
from include.fulltext.places import chunk_file, vectors_of
from include.generations.files import replacing, write_json
from include.generations.locks import locked
from include.settings import Settings

log = logging.getLogger(__name__)

FACTS_FILE = "chunks.json"
SCHEMA = pa.schema([("chunk_number", pa.int64()), ("content", pa.string())])
PAGE = 200  # documents, or fewer when one is long
PAGE_CHARACTERS = 10_000_000
GROUP_ROWS = 8192
WAIT_SECONDS = 600


class NoChunks(InputError):
    """The collection is served and holds nothing, for all that was in it is deleted."""


def write_chunk_file(
    collection: str, settings: Settings, *, run_key: str = "", es_url: str | None = None
) -> dict[str, Any]:
    """Write the file anew when the chunk texts are others than those in it; return the figures with ``changed``.

    A run that is tried again after it was killed is told ``changed`` again: nobody may have heard of it.

    Raises:
        InputError: there is no such collection.
        NoChunks: it is empty.
        ContractError: the name serves something else.
    """
    path = chunk_file(settings, collection)
    with (
        connect(EsConnection.from_settings(settings, urls=es_url)) as client,
        locked(path.with_suffix(".lock"), purpose=f"chunks of {collection}", wait_seconds=WAIT_SECONDS),
    ):
        generations = IndexGenerations(client, collection)
        generations.refuse_foreign(HELD, unknown=True)
        served = generations.resolve()
        if served is None:
            msg = f"There is no collection {collection!r} of documents: index some first."
            raise InputError(msg)
        generations.refresh(served)
        return _write(client, collection, served, path, run_key)


def _write(client: Elasticsearch, collection: str, served: str, path: Path, run_key: str) -> dict[str, Any]:
    facts_file = path.with_name(FACTS_FILE)
    before = _facts(facts_file) if path.exists() else {}
    texts = _Texts(client, served)
    texts.count_only()
    if not texts.count:
        msg = f"Collection {collection} has no chunk, so there is nothing to make vectors of."
        raise NoChunks(msg)
    changed = before.get("texts_digest") != texts.digest()
    if changed:
        texts = _Texts(client, served, page=max(1, min(PAGE, PAGE_CHARACTERS // (texts.longest + 1))))
        with replacing(path) as temporary, pq.ParquetWriter(temporary, SCHEMA) as writer:
            for table in texts.tables():
                writer.write_table(table)
    changed_by = run_key if changed else before.get("changed_by", "")
    facts = {"texts_digest": texts.digest(), "texts": texts.count, "chunks": texts.chunks, "generation": served}
    write_json(facts_file, {**facts, "changed_by": changed_by})
    log.info("%d chunks of %s have %d texts%s", texts.chunks, served, texts.count, "" if changed else ", as before")
    return {
        "documents": collection,
        "collection": vectors_of(collection),
        "input": str(path),
        "changed": changed or (bool(run_key) and changed_by == run_key),
        "chunks": texts.chunks,
        "texts": texts.count,
    }


def _facts(path: Path) -> dict[str, Any]:
    try:
        found = json.loads(path.read_text(encoding="utf-8"))
    except (FileNotFoundError, ValueError):
        return {}
    return found if isinstance(found, dict) else {}


class _Texts:
    """The chunk texts of an index, each once, in tables; memory holds a hash of each."""

    def __init__(self, client: Elasticsearch, index: str, *, page: int = PAGE) -> None:
        self._client, self._index, self._page = client, index, page
        self._sum = 0  # of all hashes: the same in whatever order they come
        self.count = self.chunks = 0
        self.longest = 0  # characters of a document, but for those of its last chunk

    def digest(self) -> str:
        """The same for the same set of texts."""
        return hashlib.sha256(f"{self.count} {self._sum}".encode()).hexdigest()

    def tables(self) -> Iterator[pa.Table]:
        rows: list[str] = []
        first = 0
        for chunk in self._distinct(["chunks.hash", "chunks.content"]):
            rows.append(chunk["content"])
            if len(rows) == GROUP_ROWS:
                yield _table(first, rows)
                first, rows = first + len(rows), []
        if rows:
            yield _table(first, rows)

    def count_only(self) -> None:
        """Make the counts and the digest without reading the texts."""
        for _ in self._distinct(["chunks.hash", "chunks.start"]):
            pass

    def _distinct(self, fields: Sequence[str]) -> Iterator[Mapping[str, Any]]:
        """The chunks whose text no other before them has."""
        seen: set[bytes] = set()
        for document in every(self._client, self._index, fields, page=self._page):
            for chunk in document.get("chunks", []):
                self.chunks += 1
                self.longest = max(self.longest, int(chunk.get("start", 0)))
                digest = bytes.fromhex(chunk["hash"])
                if digest not in seen:
                    seen.add(digest)
                    self.count += 1
                    self._sum = (self._sum + int.from_bytes(digest)) % (1 << 128)
                    yield chunk


def _table(first: int, texts: list[str]) -> pa.Table:
    return pa.table([list(range(first, first + len(texts))), texts], schema=SCHEMA)
