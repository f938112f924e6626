"""The whole linking on real servers: Triton with the demo model, Elasticsearch, the Qdrant engine; small data."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from uuid import uuid4

import pytest
from elasticsearch import Elasticsearch
from elasticsearch.helpers import scan

from include.elastic.connection import EsConnection, connect
from include.elastic.index_generations import IndexGenerations
from include.generations.run import Run
from include.keywords import vectors
from include.keywords.parameters import VectorIndexParameters
from include.linking.parameters import LinkingParameters
from include.settings import Settings
from include.sources.generators import generate, write_texts
from include.workflow import run_workflow
from tests.integration.elasticsearch_server import ElasticsearchServer
from tests.integration.runs import LOG, new_run
from tests.integration.triton_server import TritonServer

KEYWORDS = 1500
PRODUCTS = 640
SHARD_ROWS = 32


@dataclass(frozen=True)
class LinkingStack:
    """Settings that lead to the servers, and an index name of the test's own."""

    settings: Settings
    index: str
    folder: Path

    @property
    def client(self) -> Elasticsearch:
        return connect(EsConnection.from_settings(self.settings))

    def served(self) -> str | None:
        """The generation that has the name."""
        with self.client as client:
            return IndexGenerations(client, self.index).resolve()

    def parameters(self, **values: Any) -> LinkingParameters:
        return LinkingParameters(
            products=str(values.pop("products", self.folder / "products.txt")),
            limit=values.pop("limit", 0),
            kserve_url=self.settings.kserve_url,
            qdrant_url=self.settings.qdrant_url,
            es_url=self.settings.es_url,
            model="minilm",
            index=self.index,
            **values,
        )

    def log(self) -> str:
        """What runs in processes of their own said."""
        return (self.folder / LOG).read_text(encoding="utf-8")

    def write_products(self, name: str, count: int, *, seed: int = 0) -> Path:
        path = self.folder / name
        write_texts(path, "products", count, language="en", seed=seed)
        return path

    def link(self, run: Run | None = None, **values: Any) -> dict[str, Any]:
        return run_workflow("include.linking.workflow", self.parameters(**values), run or new_run(), self.settings)[1]

    def documents(self, index: str | None = None) -> dict[str, dict[str, Any]]:
        """All documents by id, as they are served."""
        with self.client as client:
            client.indices.refresh(index=index or self.index)
            return {hit["_id"]: hit["_source"] for hit in scan(client, index=index or self.index)}


@pytest.fixture(scope="session")
def keyword_settings(
    served_minilm: TritonServer, elasticsearch: ElasticsearchServer, tmp_path_factory: pytest.TempPathFactory
) -> Settings:
    """Settings of a stack whose keyword vectors are served already."""
    folder = tmp_path_factory.mktemp("linking")
    settings = Settings(
        **{
            **served_minilm.settings.model_dump(),
            "state_dir": folder / "state",
            "qdrant_url": f"edge:{folder / 'qdrant'}",
            "es_url": elasticsearch.service.url,
            "link_shard_rows": SHARD_ROWS,
            "model": "minilm",
        }
    )
    write_texts(folder / "keywords.txt", "keywords", KEYWORDS, language="en", seed=0)
    parameters = VectorIndexParameters(
        input=str(folder / "keywords.txt"), model="minilm", qdrant_url=settings.qdrant_url,
        kserve_url=settings.kserve_url,
    )  # fmt: skip
    build = vectors.plan(parameters, new_run("keywords"), settings)
    vectors.run_shards(build, range(build.input.shards), settings)
    vectors.publish(build, settings)
    return settings


@pytest.fixture
def linking(keyword_settings: Settings, tmp_path: Path) -> Iterator[LinkingStack]:
    """A stack to link in, with an index and a state folder of the test's own."""
    settings = Settings(**{**keyword_settings.model_dump(), "state_dir": tmp_path / "state"})
    stack = LinkingStack(settings, f"links-{uuid4().hex[:8]}", tmp_path)
    stack.write_products("products.txt", PRODUCTS)
    yield stack
    with stack.client as client:
        for index in client.indices.get(index=f"{stack.index}__*"):
            client.indices.delete(index=index)


@pytest.fixture(scope="session")
def product_names() -> list[str]:
    return list(generate("products", PRODUCTS, language="en", seed=0))
