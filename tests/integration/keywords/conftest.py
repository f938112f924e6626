"""Keywords on real servers: Triton with the demo model, Elasticsearch, the Qdrant engine; a few hundred keywords."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from uuid import uuid4

import pytest
from elasticsearch import Elasticsearch
from elasticsearch.helpers import scan
from tritonclient import http

from include.generations.run import Run
from include.keywords.parameters import TextIndexParameters, VectorIndexParameters
from include.settings import Settings
from include.sources.build import Build
from include.sources.builds import all_builds
from include.sources.generators import generate
from include.vector_store.collection import keyword_table
from include.vector_store.open import open_store
from include.workflow import run_workflow
from tests.integration.elasticsearch_server import ElasticsearchServer
from tests.integration.runs import LOG, new_run
from tests.integration.triton_server import TritonServer

VECTORS, TEXT = "include.keywords.vectors", "include.keywords.text"
KEYWORDS = 300
SHARD_ROWS = 20


@dataclass(frozen=True)
class KeywordStack:
    """Settings that lead to the servers; a vector store, a state folder and names of the test's own."""

    settings: Settings
    folder: Path
    alias: str

    @property
    def client(self) -> Elasticsearch:
        return Elasticsearch(self.settings.es_url)

    def write(self, keywords: list[str], name: str = "keywords.txt") -> Path:
        path = self.folder / name
        path.write_text("\n".join(keywords) + "\n", encoding="utf-8")
        return path

    def vector_parameters(self, path: Path | None = None, **values: Any) -> VectorIndexParameters:
        return VectorIndexParameters(
            input=str(path or self.folder / "keywords.txt"),
            model="minilm",
            collection=self.alias,
            qdrant_url=self.settings.qdrant_url,
            kserve_url=self.settings.kserve_url,
            **values,
        )

    def text_parameters(self, path: Path | None = None, **values: Any) -> TextIndexParameters:
        return TextIndexParameters(
            input=str(path or self.folder / "keywords.txt"), index=self.alias, es_url=self.settings.es_url, **values
        )

    def index_vectors(self, path: Path | None = None, run: Run | None = None, **values: Any) -> dict[str, Any]:
        return run_workflow(VECTORS, self.vector_parameters(path, **values), run or new_run(), self.settings)[1]

    def index_text(self, path: Path | None = None, run: Run | None = None, **values: Any) -> dict[str, Any]:
        return run_workflow(TEXT, self.text_parameters(path, **values), run or new_run(), self.settings)[1]

    def builds(self, kind: str) -> list[Build]:
        return list(all_builds(self.settings, kind, self.alias))

    def served(self) -> str | None:
        """The vector generation that readers get."""
        store = open_store(self.settings.qdrant_url)
        try:
            return store.resolve(self.alias)
        finally:
            store.close()

    def generations(self) -> list[str]:
        store = open_store(self.settings.qdrant_url)
        try:
            return store.generations(self.alias)
        finally:
            store.close()

    def points(self) -> dict[int, str]:
        """Payload by id, as it is served."""
        store = open_store(self.settings.qdrant_url)
        try:
            return keyword_table(store, self.alias)
        finally:
            store.close()

    def documents(self, index: str | None = None) -> dict[str, dict[str, Any]]:
        """All documents by id, as they are served."""
        with self.client as client:
            client.indices.refresh(index=index or self.alias)
            return {hit["_id"]: hit["_source"] for hit in scan(client, index=index or self.alias)}

    def embedded(self) -> int:
        """How many texts Triton has embedded so far, by its own count."""
        server = http.InferenceServerClient(self.settings.kserve_url.removeprefix("http://"))
        try:
            return sum(one["inference_count"] for one in server.get_inference_statistics("minilm")["model_stats"])
        finally:
            server.close()

    def log(self) -> str:
        """What runs in processes of their own said."""
        return (self.folder / LOG).read_text(encoding="utf-8")


@pytest.fixture(scope="session")
def keywords() -> list[str]:
    return list(generate("keywords", KEYWORDS, language="en", seed=0))


@pytest.fixture
def stack(
    served_minilm: TritonServer, elasticsearch: ElasticsearchServer, tmp_path: Path, keywords: list[str]
) -> Iterator[KeywordStack]:
    settings = Settings(
        **{
            **served_minilm.settings.model_dump(),
            "state_dir": tmp_path / "state",
            "qdrant_url": f"edge:{tmp_path / 'qdrant'}",
            "es_url": elasticsearch.service.url,
            "vector_shard_rows": SHARD_ROWS,
            "text_shard_rows": SHARD_ROWS,
        }
    )
    stack = KeywordStack(settings, tmp_path, f"keywords-{uuid4().hex[:8]}")
    stack.write(keywords)
    yield stack
    with stack.client as client:
        for index in client.indices.get(index=f"{stack.alias}*"):
            client.indices.delete(index=index)
