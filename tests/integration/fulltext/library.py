"""A collection of documents for tests: a folder of files, and what Elasticsearch serves of them."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

from elasticsearch import Elasticsearch

from include.elastic.connection import EsConnection, connect
from include.elastic.index_generations import IndexGenerations
from include.fulltext.analysis import analysis_of
from include.fulltext.deletion import delete_documents
from include.fulltext.indexing import index_documents
from include.fulltext.parameters import DocumentDeleteParameters, DocumentIndexParameters
from include.generations.run import Run
from include.settings import Settings
from tests.integration.runs import new_run


@dataclass(frozen=True)
class Library:
    """Files in ``folder``, a collection of the test's own."""

    settings: Settings
    folder: Path
    collection: str

    @contextmanager
    def client(self) -> Iterator[Elasticsearch]:
        with connect(EsConnection.from_settings(self.settings)) as client:
            yield client

    def write(self, documents: dict[str, str], folder: str = "documents") -> Path:
        """Files by name; None of those that stand is removed."""
        root = self.folder / folder
        for name, text in documents.items():
            path = root / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(text, encoding="utf-8")
        return root

    def drop(self) -> None:
        """Its indexes."""
        with self.client() as client:
            for name in client.indices.get(index=f"{self.collection}__*"):
                client.indices.delete(index=name)

    def parameters(self, **values: Any) -> DocumentIndexParameters:
        given = {
            "input": str(self.folder / "documents"), "collection": self.collection, "es_url": self.settings.es_url,
            "chunk_size": 40, "chunk_overlap": 5, "chunk_unit": "characters",
        }  # fmt: skip
        return DocumentIndexParameters(**{**given, **values})

    def index(self, run: Run | None = None, *, date: datetime | None = None, **values: Any) -> dict[str, Any]:
        return index_documents(self.parameters(**values), run or new_run(date=date), self.settings)

    def delete(self, *ids: str, date: datetime | None = None) -> dict[str, Any]:
        parameters = DocumentDeleteParameters(collection=self.collection, es_url=self.settings.es_url)
        return delete_documents(parameters, ids, new_run(date=date), self.settings)

    def documents(self) -> dict[str, dict[str, Any]]:
        """All that is served, by id."""
        with self.client() as client:
            client.indices.refresh(index=self.collection)
            found = client.search(index=self.collection, size=1000)["hits"]["hits"]
        return {hit["_source"]["document_id"]: hit["_source"] for hit in found}

    def texts(self) -> dict[str, str]:
        """Of each document the text that its chunks make together."""
        return {name: whole(source["chunks"]) for name, source in self.documents().items()}

    def find(self, words: str) -> list[str]:
        """Ids of the documents with a chunk that has all of ``words`` in its title or content, the best first."""
        with self.client() as client:
            client.indices.refresh(index=self.collection)
            analysis = analysis_of(IndexGenerations(client, self.collection), self.collection)
            title, content = (f"chunks.{field}" for field in analysis.fields)
            text = analysis.query_text(words)
            either = [{"match": {field: {"query": text, "operator": "and"}}} for field in (title, content)]
            query = {"nested": {"path": "chunks", "query": {"dis_max": {"queries": either}}, "score_mode": "max"}}
            found = client.search(index=self.collection, query=query, size=100)["hits"]["hits"]
        return [hit["_source"]["document_id"] for hit in found]

    def served(self) -> str | None:
        with self.client() as client:
            return IndexGenerations(client, self.collection).resolve()

    def generations(self) -> list[str]:
        with self.client() as client:
            return IndexGenerations(client, self.collection).generations()


def whole(chunks: list[dict[str, Any]]) -> str:
    """The text that chunks were cut from, but for white space where two of them meet."""
    text = ""
    for chunk in sorted(chunks, key=lambda one: int(one["number"])):
        text = text[: chunk["start"]].ljust(chunk["start"]) + chunk["content"]
    return text
